package import Hummingbird
package import Models
import Synchronization

/// Mounts handlers by the route catalogue: access is checked here from the route, before the handler. In the gateway `authenticate` comes
/// from accounts; in the other services it is the signed internal identity.
package struct RouteTable: Sendable {
    enum Handler: Sendable {
        case caller(@Sendable (Request, CallerContext) async throws -> Response)
        case open(@Sendable (Request, BaseContext) async throws -> Response)
        case peer(@Sendable (Request, PeerContext) async throws -> Response)
    }

    typealias Authenticator = @Sendable (Request, BaseContext, Route) async throws -> Principal?
    typealias Doorman = @Sendable (BaseContext, Route) async throws -> Void
    typealias Fallback = @Sendable (Request, BaseContext) async throws -> Response
    package typealias Interceptor = @Sendable (Request, BaseContext) async throws -> Response?
    package typealias Observer = @Sendable (ObservedRequest) -> Void

    private struct State {
        var handlers: [Route: Handler] = [:]
        var authenticator: Authenticator?
        var doorman: Doorman?
        var fallback: Fallback?
        var interceptor: Interceptor?
        var observer: Observer?
        var lane: (any FastLane)?
    }

    private final class Storage: Sendable {
        let state = Mutex(State())
    }

    private let service: ServiceName
    private let storage = Storage()

    package init(service: ServiceName) { self.service = service }

    /// For `.member` and `.user` routes.
    package func mount(_ route: Route, _ handler: @escaping @Sendable (Request, CallerContext) async throws -> Response) {
        switch route.access {
        case .member, .user: self.add(route, .caller(handler))
        case .anyone, .service: preconditionFailure("\(route.name) has no authenticated caller")
        }
    }

    /// For `.anyone` routes.
    package func mountOpen(_ route: Route, _ handler: @escaping @Sendable (Request, BaseContext) async throws -> Response) {
        precondition(route.access == .anyone, "\(route.name) is not open to anyone")
        self.add(route, .open(handler))
    }

    /// For `.service` routes.
    package func mountInternal(_ route: Route, _ handler: @escaping @Sendable (Request, PeerContext) async throws -> Response) {
        guard case .service = route.access else { preconditionFailure("\(route.name) is not internal") }
        self.add(route, .peer(handler))
    }

    /// The gateway replaces how callers are known (bearer tokens and keys); nil means nobody, which is answered with 401.
    package func authenticate(_ authenticator: @escaping @Sendable (Request, BaseContext, Route) async throws -> Principal?) {
        precondition(self.service == .gateway, "only the gateway knows tokens and keys")
        self.storage.state.withLock { $0.authenticator = authenticator }
    }

    /// What the gateway asks of requests to its own routes that are open to anyone, before their handlers run.
    package func admitStrangers(_ doorman: @escaping @Sendable (BaseContext, Route) async throws -> Void) {
        precondition(self.service == .gateway, "only the gateway is reached by strangers")
        self.storage.state.withLock { $0.doorman = doorman }
    }

    /// The gateway serves what it does not own itself.
    package func fallback(_ handler: @escaping @Sendable (Request, BaseContext) async throws -> Response) {
        self.storage.state.withLock { $0.fallback = handler }
    }

    /// What the gateway does with every request before its route is looked for, operations apart: nil lets it go on.
    package func intercept(_ interceptor: @escaping Interceptor) {
        precondition(self.service == .gateway, "only the gateway is reached by strangers")
        self.storage.state.withLock { $0.interceptor = interceptor }
    }

    /// The gateway counts and logs every request at its end, own and forwarded ones, except those of the house itself (operations, other
    /// processes). The observer is called on the way of the request: it must neither wait nor do much.
    package func observe(_ observer: @escaping Observer) {
        precondition(self.service == .gateway, "only the gateway sees every request of a client")
        self.storage.state.withLock { $0.observer = observer }
    }

    /// The gateway serves its usual requests on a shorter way than the pipeline's.
    package func lane(_ lane: any FastLane) {
        precondition(self.service == .gateway, "only the gateway is reached by strangers")
        self.storage.state.withLock { $0.lane = lane }
    }

    /// Routes of the catalogue that this service owns and has not mounted.
    package var unmounted: [Route] {
        let mounted = self.storage.state.withLock { Set($0.handlers.keys) }
        return RouteCatalogue.all.filter { $0.service == self.service && !mounted.contains($0) }
    }

    private func add(_ route: Route, _ handler: Handler) {
        precondition(route.service == self.service, "\(route.name) belongs to \(route.service.rawValue)")
        precondition(RouteCatalogue.all.contains(route), "\(route.name) is not in the route catalogue")
        let isNew = self.storage.state.withLock { $0.handlers.updateValue(handler, forKey: route) == nil }
        precondition(isNew, "\(route.name) is mounted twice")
    }

    /// What was mounted, for the pipeline.
    struct Mounted {
        var handlers: [Route: Handler]
        var authenticator: Authenticator?
        var doorman: Doorman?
        var fallback: Fallback?
        var interceptor: Interceptor?
        var observer: Observer?
        var lane: (any FastLane)?
    }

    var mounted: Mounted {
        self.storage.state.withLock { state in
            Mounted(
                handlers: state.handlers,
                authenticator: state.authenticator,
                doorman: state.doorman,
                fallback: state.fallback,
                interceptor: state.interceptor,
                observer: state.observer,
                lane: state.lane
            )
        }
    }
}
