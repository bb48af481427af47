import Foundation
import Models
import ServiceKit

/// What a client asks for, already checked against what its maker may give away.
struct NewAPIKey: Sendable, Equatable {
    var name: String
    var rights: APIKeyRights
    var rateLimit: Int64?
    var expiresAt: Date?

    static let maximumRateLimit: Int64 = 1_000_000_000

    /// - Throws: one validation problem that names every fault.
    init(_ body: JSONValue, maker: Principal, now: Date) throws {
        var reader = FieldReader(body)
        self.name = reader.line("name", 1...200)
        let scopes = Self.scopes(&reader)
        let asked = Self.role(&reader)
        // Without a role the key gets the least one that its scopes can be used with.
        let role = asked ?? scopes.map(\.leastRole).max() ?? .viewer
        self.rights = APIKeyRights(role: role, scopes: scopes)
        self.rateLimit = reader.optionalInteger("rate_limit", 1...Self.maximumRateLimit)
        self.expiresAt = reader.optionalDate("expires_at")
        if let expiresAt = self.expiresAt, expiresAt <= now { reader.fault("expires_at", "lies in the past") }
        for (field, fault) in Self.excesses(self.rights, maker: maker) { reader.fault(field, fault) }
        try reader.finish()
    }

    private static func role(_ reader: inout FieldReader) -> Role? {
        guard let text = reader.optionalString("role", 1...20) else { return nil }
        let role = Role(rawValue: text)
        if role == nil { reader.fault("role", "is none of \(Role.allCases.map(\.rawValue).joined(separator: ", "))") }
        return role
    }

    private static func scopes(_ reader: inout FieldReader) -> Set<Scope> {
        if !reader.has("scopes") { reader.fault("scopes", "is missing") }
        let texts = reader.optionalArray("scopes", 1...Scope.allCases.count) ?? []
        var scopes: Set<Scope> = []
        for text in texts {
            if let scope = text.stringValue.flatMap(Scope.init(rawValue:)) {
                scopes.insert(scope)
            } else {
                reader.fault("scopes", "holds an unknown scope; known are \(Scope.allCases.map(\.rawValue).joined(separator: ", "))")
            }
        }
        return scopes
    }

    /// Where the wished rights go beyond the maker's, or the scopes beyond the role.
    static func excesses(_ rights: APIKeyRights, maker: Principal) -> [(field: String, fault: String)] {
        var excesses: [(field: String, fault: String)] = []
        if rights.role > maker.role { excesses.append(("role", "is above yours")) }
        for scope in rights.scopes.sorted(by: { $0.rawValue < $1.rawValue }) {
            if scope.leastRole > rights.role {
                excesses.append(("scopes", "\(scope.rawValue) needs the role \(scope.leastRole.rawValue)"))
            } else if !maker.satisfies(role: scope.leastRole, scope: scope) {
                excesses.append(("scopes", "\(scope.rawValue) is not yours to give"))
            }
        }
        return excesses
    }

    /// A key that makes a key gives it no longer life and no higher limit than its own.
    func checkWithin(expiresAt parentExpiry: Date?, rateLimit parentLimit: Int64?) throws(Problem) {
        var faults: [Problem.Fault] = []
        if let parentExpiry, self.expiresAt.map({ $0 > parentExpiry }) ?? true {
            faults.append(.init(pointer: "/expires_at", detail: "must not be later than that of the key that asks"))
        }
        if let parentLimit, self.rateLimit.map({ $0 > parentLimit }) ?? true {
            faults.append(.init(pointer: "/rate_limit", detail: "must not be above that of the key that asks"))
        }
        guard faults.isEmpty else { throw .validation(faults) }
    }
}
