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

    /// Longer than the keep-alive of the house's own clients, so that it is they who close idle connections.
    private static let idleTimeout = TimeAmount.seconds(150)

    private let settings: Settings
    private let pipeline: RequestPipeline
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
        self.settings = settings
        self.pipeline = RequestPipeline(
            table: table,
            access: AccessCheck(service: service, identities: identities),
            operations: OperationsRoutes(
                metrics: operations.metrics,
                readiness: operations.readiness,
                metricsAccess: settings.metricsAccess
            ),
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
        let settings = self.settings
        return HTTPServerBuilder { responder in
            let plain = DoorChannel(
                inner: HTTP1Channel(
                    responder: responder,
                    configuration: HTTP1Channel.Configuration(
                        idleTimeout: Self.idleTimeout,
                        httpDecoderConfiguration: .init(maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)
                    )
                ),
                book: ConnectionBook(
                    maximum: settings.maximumConnections,
                    perAddress: settings.connectionsPerAddress,
                    trusted: settings.trustedProxies + settings.localAddresses
                ),
                limits: settings.connectionLimits
            )
            let parts = DoorParts(
                plain: plain,
                responder: responder,
                limits: settings.connectionLimits,
                idleTimeout: Self.idleTimeout
            )
            return settings.layer?(parts) ?? plain
        }
    }
}
