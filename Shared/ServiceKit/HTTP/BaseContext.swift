package import HTTPTypes
package import Hummingbird
package import Models
package import NIOCore
import Synchronization

/// Every request: id, trace, address of the client.
package struct BaseContext: RequestContext, RemoteAddressRequestContext {
    package var coreContext: CoreRequestContextStorage
    package var remoteAddress: SocketAddress?
    /// `X-Request-Id`, accepted or made.
    package var requestID: String
    package var traceParent: String?
    /// From the socket, or from `X-Forwarded-For` behind a trusted proxy.
    package var clientAddress: String?
    let channel: any Channel
    let notes = RequestNotes()

    package init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.channel = source.channel
        self.remoteAddress = source.channel.remoteAddress
        self.requestID = ""
        self.clientAddress = self.remoteAddress?.ipAddress
    }

    /// False once the client's connection is gone. A body that ends then was cut off: Hummingbird ends it as if it were complete.
    package var isConnected: Bool { self.channel.isActive }

    /// A header of the answer, whatever it will be, a problem included: rate limits, deprecation.
    package func addHeader(_ name: HTTPField.Name, _ value: String) {
        self.notes.update { $0.headers.append((name, value)) }
    }

    /// The catalogue route and the caller, for the access log and the metrics. The house notes them for what it serves itself; a proxy
    /// notes them for what it forwards.
    package func note(route: Route) { self.notes.update { $0.route = route } }
    package func note(principal: Principal) { self.notes.update { $0.principal = principal } }
}

/// What is learned about a request while it is served.
final class RequestNotes: Sendable {
    struct Values: Sendable {
        var route: Route?
        var principal: Principal?
        var caller: ServiceName?
        var headers: [(HTTPField.Name, String)] = []
    }

    private let values = Mutex(Values())

    var snapshot: Values { self.values.withLock { $0 } }

    func update(_ change: (inout sending Values) -> Void) { self.values.withLock { change(&$0) } }
}

/// A request of an authenticated member or key. It cannot be made without one.
package struct CallerContext: Sendable {
    package let principal: Principal
    package let requestID: String
    package let clientAddress: String?
    /// The URL that the client used at the public door; some providers sign it.
    package let publicURL: String?
    package let parameters: Parameters
    package let route: Route
    package var organizationID: OrganizationID { self.principal.organizationID }

    package init(
        principal: Principal,
        route: Route,
        parameters: Parameters = Parameters(),
        requestID: String,
        clientAddress: String? = nil,
        publicURL: String? = nil
    ) {
        self.principal = principal
        self.route = route
        self.parameters = parameters
        self.requestID = requestID
        self.clientAddress = clientAddress
        self.publicURL = publicURL
    }

    /// A path parameter as an id; 404 where it is not one.
    package func id<Owner>(_ name: String = "id") throws -> ID<Owner> {
        guard let text = self.parameters.get(name), let id = ID<Owner>(text) else { throw Problem.notFound }
        return id
    }
}

/// A request of another process of the house.
package struct PeerContext: Sendable {
    package let identity: InternalIdentity
    package let requestID: String
    package let parameters: Parameters

    /// The organization on whose behalf the gateway asks. Other processes know no callers: what they claim about one does not count.
    /// - Throws: 403 where nobody stands behind the request.
    package var organizationID: OrganizationID {
        get throws {
            guard self.identity.caller == .gateway, let principal = self.identity.principal else {
                throw Problem(.forbidden, "This is asked on behalf of a member or key.")
            }
            return principal.organizationID
        }
    }
}

extension Principal {
    /// `user:12` or `key:7`, as audit entries and idempotency keys name the caller.
    package var actor: String {
        switch self.subject {
        case .user(let id): "user:\(id)"
        case .key(let id, _): "key:\(id)"
        }
    }
}
