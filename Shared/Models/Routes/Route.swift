/// One route of the house: the gateway authorizes and proxies from it, and its service mounts through it. The service's README describes it.
package struct Route: Sendable, Hashable {
    package enum Method: String, Sendable, CaseIterable { case get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE" }

    /// Who may call.
    package enum Access: Sendable, Hashable {
        /// Anyone: registration, login.
        case anyone
        /// A member of at least this role, or an API key of at least this role that also holds the scope.
        case member(Role, Scope)
        /// A signed-in user only, of at least this role; API keys are refused (sessions, one's own account).
        case user(Role)
        /// Another process of the house, one of these; never reachable through the gateway.
        case service(Set<ServiceName>)
    }

    package var method: Method
    /// Path with `{name}` parameters, no trailing slash.
    package var template: String
    package var service: ServiceName
    package var access: Access
    /// Units taken from an API key's rate limit.
    package var cost: Int
    /// Seconds after which the gateway gives up on the owning service; more than ``usualTimeout`` where that waits for somebody outside.
    package var timeout: Int
    package static let usualTimeout = 30
    /// One line for people.
    package var summary: String
    /// Creating and sending POSTs take an `Idempotency-Key`.
    package var idempotent: Bool

    package init(
        _ method: Method,
        _ template: String,
        _ service: ServiceName,
        _ access: Access,
        _ summary: String,
        cost: Int = 1,
        timeout: Int = usualTimeout,
        idempotent: Bool = false
    ) {
        self.method = method
        self.template = template
        self.service = service
        self.access = access
        self.cost = cost
        self.timeout = timeout
        self.summary = summary
        self.idempotent = idempotent
    }

    /// Stable name for logs and metrics, `GET /api/v1/campaigns/{id}`.
    package var name: String { "\(self.method.rawValue) \(self.template)" }
}
