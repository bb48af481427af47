import Hummingbird
import Logging
import NIOCore

/// All stand-ins behind one port.
struct Sandbox: Sendable {
    let hubSpot: HubSpot
    let sendGrid: SendGrid
    let receivers: ReceiverBook
    let faults: FaultBook
    let tally: RequestTally

    init(seed: UInt64, contacts: Int, hubSpotTokens: Set<String>, sendGridKeys: Set<String>) {
        self.hubSpot = HubSpot(book: ContactBook(seed: seed, count: contacts), tokens: hubSpotTokens)
        self.sendGrid = SendGrid(keys: sendGridKeys)
        self.receivers = ReceiverBook()
        self.faults = FaultBook()
        self.tally = RequestTally()
    }

    func application(host: String, port: Int, logger: Logger) -> some ApplicationProtocol {
        Application(
            router: self.router(),
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), backlog: 1024),
            onServerRunning: { channel in
                logger.notice(
                    "Sandbox is listening",
                    metadata: ["port": "\(channel.localAddress?.port ?? port)", "contacts": "\(self.hubSpot.contactCount)"]
                )
            },
            logger: logger
        )
    }

    func router() -> Router<SandboxContext> {
        let router = Router(context: SandboxContext.self)
        router.add(middleware: FaultMiddleware(faults: self.faults, tally: self.tally, hubSpot: self.hubSpot))
        self.hubSpot.mount(on: router)
        self.sendGrid.mount(on: router)
        ReceiverRoutes(receivers: self.receivers).mount(on: router)
        ControlRoutes(sandbox: self).mount(on: router)
        return router
    }
}

/// A request, and the connection it came by: faults cut it.
struct SandboxContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        self.coreContext = .init(source: source)
        self.channel = source.channel
    }
}

/// Whose path a request is.
enum Provider: String, Sendable, CaseIterable {
    case hubSpot = "hubspot"
    case sendGrid = "sendgrid"
    case receiver

    /// nil for the control plane.
    init?(_ request: Request) {
        let path = request.uri.path
        if path.hasPrefix("/crm/") || path.hasPrefix("/account-info/") {
            self = .hubSpot
        } else if path.hasPrefix("/v3/") {
            self = .sendGrid
        } else if path.hasPrefix("/_sandbox/receiver/"), request.method == .post {
            self = .receiver
        } else {
            return nil
        }
    }
}
