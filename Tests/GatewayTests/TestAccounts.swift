import Database
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

extension TestGateway {
    static let password = "correct horse battery staple"

    static func registration(_ email: String) -> JSONValue {
        ["email": .string(email), "password": .string(Self.password), "name": "Ada", "organization_name": "Analytical Engines"]
    }

    /// Over the public route.
    func register(_ email: String = "ada@example.com") async throws -> TestMember {
        let answer = try await self.door.send("POST", "/api/v1/auth/register", body: Self.registration(email))
        guard answer.status == 201 else { throw TestFailure("register answered \(answer.status): \(answer.text)") }
        return try Self.member(answer.json, email)
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
}
