import Database
import Encryption
import Models
import TestSupport

@testable import Gateway

/// A signed-in member of a test.
struct TestMember: Sendable {
    var organization: OrganizationID
    var user: UserID
    var email: String
    var accessToken: String
    var refreshToken: String

    var bearer: [(String, String)] { [("Authorization", "Bearer \(self.accessToken)")] }
}

/// The hash of ``TestGateway/password``, with the parameters of production, made once in this process.
private actor TestPassword {
    private static let shared = TestPassword()

    private var made: Task<String, any Error>?

    static func hash() async throws -> String { try await self.shared.task().value }

    private func task() -> Task<String, any Error> {
        if let made { return made }
        // Unstructured on purpose: the first test that asks may be cancelled, the hash is for all.
        let task = Task { try await PasswordHash.make(Secret(TestGateway.password)) }
        self.made = task
        return task
    }
}

extension TestGateway {
    static let password = "correct horse battery staple"

    static func registration(_ email: String) -> JSONValue {
        ["email": .string(email), "password": .string(Self.password), "name": "Ada", "organization_name": "Analytical Engines"]
    }

    /// As the public route does it, but for the hashing, which takes longer than all else of most tests.
    func register(_ email: String = "ada@example.com") async throws -> TestMember {
        let new = NewUser(email: email, name: "Ada", passwordHash: try await TestPassword.hash(), isEmailVerified: false)
        let visitor = Visitor(address: "127.0.0.1", agent: nil, requestID: "registration")
        let signedIn = try await self.gateways[0].accounts.registration.open(new, "Analytical Engines", visitor)
        return TestMember(
            organization: signedIn.account.organization.id,
            user: signedIn.account.user.id,
            email: email,
            accessToken: signedIn.tokens.access.reveal(),
            refreshToken: signedIn.tokens.refresh.reveal()
        )
    }

    static func member(_ json: JSONValue, _ email: String) throws -> TestMember {
        guard let access = json["access_token"]?.stringValue, let refresh = json["refresh_token"]?.stringValue,
            let organization = json["organization"]?["id"]?.integerValue, let user = json["user"]?["id"]?.integerValue
        else { throw TestFailure("no tokens in \(json.text)") }
        return TestMember(
            organization: OrganizationID(organization),
            user: UserID(user),
            email: email,
            accessToken: access,
            refreshToken: refresh
        )
    }

    /// A key of the member, over the public route.
    func key(of member: TestMember, _ scopes: [Scope], limit: Int64? = nil) async throws -> (id: Int64, key: String) {
        var body: [String: JSONValue] = ["name": "test", "scopes": .array(scopes.map { .string($0.rawValue) })]
        if let limit { body["rate_limit"] = .integer(limit) }
        let answer = try await self.door.send("POST", "/api/v1/api/keys", headers: member.bearer, body: .object(body))
        guard answer.status == 201, let id = answer.json["id"]?.integerValue, let key = answer.json["key"]?.stringValue else {
            throw TestFailure("creating a key answered \(answer.status): \(answer.text)")
        }
        return (id, key)
    }

    static let proxied = Settings(variables: ["TRUSTED_PROXIES": "127.0.0.1/32"])

    /// A sign-in; from an address of that name where the gateway trusts its proxy.
    func login(
        _ email: String,
        _ password: String = Self.password,
        from address: String? = nil,
        more: [String: JSONValue] = [:]
    ) async throws -> TestDoor.Answer {
        let body: JSONValue = .object(["email": .string(email), "password": .string(password)].merging(more) { $1 })
        return try await self.door.send("POST", "/api/v1/auth/login", headers: address.map { [("X-Forwarded-For", $0)] } ?? [], body: body)
    }

    func post(_ path: String, _ member: TestMember? = nil, _ body: JSONValue? = nil) async throws -> TestDoor.Answer {
        try await self.door.send("POST", "/api/v1\(path)", headers: member?.bearer ?? [], body: body)
    }

    func get(_ path: String, _ member: TestMember) async throws -> TestDoor.Answer {
        try await self.door.send("GET", "/api/v1\(path)", headers: member.bearer)
    }

    /// The text of the newest mail of a kind that waits to be sent to the address.
    func mail(_ kind: String, to email: String) async throws -> String {
        let row = try await self.database.runtime.readFirst(
            """
            SELECT id, kind, recipient, subject, body, attempts, fence, 1::float8 AS remaining FROM mails
            WHERE kind = \(kind) AND recipient = \(email) AND state = 'pending' ORDER BY id DESC LIMIT 1
            """,
            as: ClaimedMail.self
        )
        guard let row else { throw TestFailure("no mail of kind \(kind) to \(email)") }
        return try self.gateways[0].mails.text(of: row)
    }

    /// Takes what wrong passwords from these addresses would take, without the time that their hashing takes.
    func guess(_ email: String, from addresses: [String], tries: Int) async throws {
        let budgets = try self.budgets()
        for address in addresses {
            for _ in 0..<tries {
                try await self.attempts.charge(try budgets.signIn(to: email, from: ClientNetwork(address), isKnown: false))
            }
        }
    }

    var attempts: AttemptStore { AttemptStore(database: self.database.runtime) }

    func budgets() throws -> AttemptBudgets {
        let key = Self.environment(self.database, Settings())["ENCRYPTION_KEY"] ?? ""
        return try AttemptBudgets(keyRing: try KeyRing(current: Secret(key), previous: [], development: true))
    }

    /// The token that such a mail holds.
    func mailedToken(_ kind: String, to email: String) async throws -> String {
        guard let token = try await self.mail(kind, to: email).firstMatch(of: /token=(\w+)/)?.1 else {
            throw TestFailure("no token in the mail")
        }
        return String(token)
    }

    /// Somebody new, by an invitation.
    func join(_ email: String, _ role: Role, of owner: TestMember) async throws -> TestMember {
        let invited = try await self.post("/invitations", owner, ["email": .string(email), "role": .string(role.rawValue)])
        guard invited.status == 201 else { throw TestFailure("inviting answered \(invited.status): \(invited.text)") }
        let token = try await self.mailedToken("invitation", to: email)
        let body: JSONValue = ["token": .string(token), "name": "Bob", "password": .string(Self.password)]
        let answer = try await self.post("/auth/invitations/accept", nil, body)
        guard answer.status == 201 else { throw TestFailure("accepting answered \(answer.status): \(answer.text)") }
        return try Self.member(answer.json, email)
    }

    func setRole(of member: TestMember, _ role: Role) async throws {
        try await self.database.runtime.write(
            "UPDATE memberships SET role = \(role) WHERE organization_id = \(member.organization) AND user_id = \(member.user)"
        )
    }

    /// Actions in the audit log, in the order of their writing.
    func audited(_ organization: OrganizationID) async throws -> [String] {
        try await self.database.runtime.read(
            "SELECT action FROM audit_logs WHERE organization_id = \(organization) ORDER BY recorded_at, id",
            as: String.self
        )
    }

    /// What the entries of an action tell, oldest first.
    func details(of action: String, in organization: OrganizationID) async throws -> [JSONValue] {
        try await self.database.runtime.read(
            "SELECT details FROM audit_logs WHERE organization_id = \(organization) AND action = \(action) ORDER BY position",
            as: JSONValue.self
        )
    }
}
