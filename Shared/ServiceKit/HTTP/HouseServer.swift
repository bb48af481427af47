import Hummingbird
package import HummingbirdCore
package import Logging
package import Models
import NIOCore
import ServiceLifecycle

/// The HTTP server of one process.
package struct HouseServer: Service {
    package struct Settings: Sendable {
        package var host: String
        /// 0 takes any free port.
        package var port: Int
        package var maximumConnections = 10_000
        /// Of one address that is not trusted; 0 for no limit.
        package var connectionsPerAddress = 0
        package var connectionLimits = ConnectionLimits()
        package var trustedProxies: [AddressRange] = []
        /// Neither limit of strangers' connections applies to them, as to trusted proxies: probers on this machine.
        package var localAddresses = ["127.0.0.0/8", "::1"].compactMap { AddressRange($0) }
        package var metricsAccess = MetricsAccess.open
        /// What lies before HTTP; nil for plain HTTP/1.1.
        package var layer: (@Sendable (DoorParts) -> any ServerChildChannel)?

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    private let settings: Settings
    private let pipeline: RequestPipeline
    private let lane: LaneAttendant?
    private let logger: Logger
    private let onListening: @Sendable (Int) async -> Void

    /// - onListening: told the port once connections are taken.
    package init(
        _ table: RouteTable,
        service: ServiceName,
        identities: IdentityKeys,
        settings: Settings,
        operations: (metrics: MetricsRegistry, readiness: [ReadinessCheck]),
        logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        let mounted = table.mounted
        let log = AccessLog(observer: mounted.observer)
        self.settings = settings
        self.lane = mounted.lane.map { LaneAttendant(lane: $0, log: log, logger: logger, trustedProxies: settings.trustedProxies) }
        self.pipeline = RequestPipeline(
            mounted,
            access: AccessCheck(service: service, identities: identities),
            operations: OperationsRoutes(
                metrics: operations.metrics,
                readiness: operations.readiness,
                metricsAccess: settings.metricsAccess
            ),
            log: log,
            trustedProxies: settings.trustedProxies
        )
        self.logger = logger
        self.onListening = onListening
    }

    package func run() async throws {
        let onListening = self.onListening
        let application = Application(
            responder: self.pipeline,
            server: self.door,
            configuration: ApplicationConfiguration(
                address: .hostname(self.settings.host, port: self.settings.port),
                backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(self.settings.maximumConnections, logger: self.logger)
            ),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) },
            logger: self.logger
        )
        try await application.run()
    }

    private var door: HTTPServerBuilder {
        let (settings, lane) = (self.settings, self.lane)
        return HTTPServerBuilder { responder in
            let plain = DoorChannel(
                inner: HTTP1Channel(
                    responder: responder,
                    // Without an idle limit of its own: ClientPace keeps it, which sees the requests of both ways.
                    configuration: HTTP1Channel.Configuration(
                        httpDecoderConfiguration: .init(maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)
                    )
                ),
                book: ConnectionBook(
                    maximum: settings.maximumConnections,
                    perAddress: settings.connectionsPerAddress,
                    trusted: settings.trustedProxies + settings.localAddresses
                ),
                limits: settings.connectionLimits,
                lane: lane
            )
            return settings.layer?(DoorParts(plain: plain, responder: responder, limits: settings.connectionLimits)) ?? plain
        }
    }
}
