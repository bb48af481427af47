import HTTPTypes
import Hummingbird
import Models
import ServiceKit

/// A fresh pair of tokens, shown once and stored as digests.
struct SessionTokens: Sendable {
    let access: Secret
    let refresh: Secret
    let accessDigest: TokenDigest
    let refreshDigest: TokenDigest

    init() throws {
        self.access = try TokenFormat.access.make()
        self.refresh = try TokenFormat.refresh.make()
        self.accessDigest = try TokenDigest(self.access.reveal())
        self.refreshDigest = try TokenDigest(self.refresh.reveal())
    }
}

/// The answer to registration, sign-in and refresh.
struct SignedIn: Encodable, Sendable {
    var tokens: SessionTokens
    /// Seconds that the access token lives.
    var expiresIn: Int
    var account: Account

    private enum CodingKeys: String, CodingKey {
        case user, organization, role
        case accessToken = "access_token"
        case refreshToken = "refresh_token"
        case tokenType = "token_type"
        case expiresIn = "expires_in"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        // The one place where tokens leave the process.
        try container.encode(self.tokens.access.reveal(), forKey: .accessToken)
        try container.encode(self.tokens.refresh.reveal(), forKey: .refreshToken)
        try container.encode("Bearer", forKey: .tokenType)
        try container.encode(self.expiresIn, forKey: .expiresIn)
        try container.encode(self.account.user, forKey: .user)
        try container.encode(self.account.organization, forKey: .organization)
        try container.encode(self.account.role, forKey: .role)
    }
}

/// Who stands at the door, before it is known who they are.
struct Visitor: Sendable {
    /// Agents are cut to this many characters; they are text of a stranger's choice.
    static let agentLength = 200

    var address: String?
    var agent: String?
    var requestID: String

    init(_ request: Request, _ context: BaseContext) {
        self.address = context.clientAddress
        self.agent = request.headers[.userAgent].map(Self.cut)
        self.requestID = context.requestID
    }

    /// An agent's text, no longer than is kept.
    static func cut(_ agent: String) -> String {
        agent.utf8.count <= self.agentLength ? agent : String(agent.prefix(self.agentLength))
    }

    func origin(_ user: UserID) -> AuditOrigin {
        AuditOrigin(actor: "user:\(user)", address: self.address, requestID: self.requestID)
    }
}
