import Models

/// What a provider does. A new one is a definition, a client and a conformance, listed in ``Providers``.
protocol Provider: Sendable {
    var definition: ProviderDefinition { get }
    /// Speaks to the provider with the connection's credentials and reports what it found; never throws for what the provider says.
    func test(_ connection: Connection) async throws -> ConnectionReport
    var contacts: (any ContactSource)? { get }
    var mail: (any MailSender)? { get }
}

extension Provider {
    var contacts: (any ContactSource)? { nil }
    var mail: (any MailSender)? { nil }
}

/// An integration with its opened credentials, for the time of one job.
struct Connection: Sendable {
    let integration: Integration
    let secrets: [String: Secret]

    /// - Throws: ``ProviderFailure/unauthorized(_:)`` where it is missing, as the provider would say.
    func secret(_ name: String) throws -> Secret {
        guard let secret = self.secrets[name] else { throw ProviderFailure.unauthorized("The credential \(name) is missing.") }
        return secret
    }
}

/// The answer of `POST /integrations/{id}/test`.
struct ConnectionReport: Encodable, Sendable, Equatable {
    var ok: Bool
    var detail: String
    /// What the provider tells about the account; no secret.
    var account: [String: JSONValue]

    static func passed(_ detail: String, account: [String: JSONValue] = [:]) -> Self { .init(ok: true, detail: detail, account: account) }
    static func failed(_ detail: String) -> Self { .init(ok: false, detail: detail, account: [:]) }
}

/// Why a provider did not do what was asked, by what has to happen next.
enum ProviderFailure: Error, Sendable, Equatable {
    /// The credentials are refused or lack a permission: a person must act.
    case unauthorized(String)
    /// The provider asks to wait.
    case wait(seconds: Double, reason: String)
    /// Passing trouble: try again with growing delay.
    case transient(String)
    /// The request itself is refused: trying again changes nothing.
    case refused(String)

    var detail: String {
        switch self {
        case .unauthorized(let detail), .transient(let detail), .refused(let detail): detail
        case .wait(let seconds, let reason): "The provider asks to wait \(Int(seconds)) s (\(reason))."
        }
    }
}

/// The catalogue: every provider, in the order in which it is shown.
struct Providers: Sendable {
    let all: [any Provider]

    init(_ all: [any Provider]) { self.all = all }

    subscript(key: String) -> (any Provider)? { self.all.first { $0.definition.key == key } }

    var definitions: [ProviderDefinition] { self.all.map(\.definition) }
}
