import Database
import Foundation
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

/// A session as its user sees it.
struct StoredSession: Sendable {
    var key: SessionKey
    var address: String?
    var agent: String?
    var createdAt: Date
    var lastUsedAt: Date
    var expiresAt: Date
}

extension StoredSession: RowDecodable {
    static let columns: StaticString = """
        organization_id, id AS session_id, address, agent, created_at, GREATEST(last_used_at, refreshed_at) AS last_used_at, expires_at
        """

    init(row: Row) throws {
        self.key = try SessionKey(row: row)
        self.address = try row.get("address")
        self.agent = try row.get("agent")
        self.createdAt = try row.get("created_at")
        self.lastUsedAt = try row.get("last_used_at")
        self.expiresAt = try row.get("expires_at")
    }
}

struct SessionResponse: Encodable, Sendable {
    var session: StoredSession
    /// It is the one that asks.
    var isCurrent: Bool

    private enum CodingKeys: String, CodingKey {
        case id, address, agent, current
        case organizationID = "organization_id"
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
        case expiresAt = "expires_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.session.key.session, forKey: .id)
        try container.encode(self.session.key.organization, forKey: .organizationID)
        try container.encode(self.session.address, forKey: .address)
        try container.encode(self.session.agent, forKey: .agent)
        try container.encode(self.session.createdAt, forKey: .createdAt)
        try container.encode(self.session.lastUsedAt, forKey: .lastUsedAt)
        try container.encode(self.session.expiresAt, forKey: .expiresAt)
        try container.encode(self.isCurrent, forKey: .current)
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
        self.init(request, address: context.clientAddress, requestID: context.requestID)
    }

    init(_ request: Request, _ context: CallerContext) {
        self.init(request, address: context.clientAddress, requestID: context.requestID)
    }

    private init(_ request: Request, address: String?, requestID: String) {
        self.init(address: address, agent: request.headers[.userAgent].map(Self.cut), requestID: requestID)
    }

    init(address: String?, agent: String?, requestID: String) {
        self.address = address
        self.agent = agent
        self.requestID = requestID
    }

    /// An agent's text, no longer than is kept.
    static func cut(_ agent: String) -> String {
        agent.utf8.count <= self.agentLength ? agent : String(agent.prefix(self.agentLength))
    }

    func origin(_ user: UserID) -> AuditOrigin {
        AuditOrigin(actor: "user:\(user)", address: self.address, requestID: self.requestID)
    }
}
