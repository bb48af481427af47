import Foundation
import Models
import ServiceKit

/// What a key's owner decides about it, already checked against what the asker may give away.
struct APIKeySettings: Sendable, Equatable {
    var name: String
    var rights: APIKeyRights
    /// Units an hour; nil for the tier's limit.
    var rateLimit: Int64?
    var expiresAt: Date?
    /// Networks from which the key may be used; none: from anywhere.
    var allowed: [AddressRange]

    static let maximumRateLimit: Int64 = 1_000_000_000
    static let maximumRanges = 50

    /// A new key.
    /// - Throws: one validation problem that names every fault.
    init(_ body: JSONValue, maker: Principal, now: Date) throws {
        var reader = FieldReader(body)
        self.name = reader.line("name", 1...200)
        if (body["scopes"] ?? .null) == .null { reader.fault("scopes", "is missing") }
        let scopes = Self.scopes(&reader) ?? []
        let asked = Self.role(&reader)
        // Without a role the key gets the least one that its scopes can be used with.
        let role = asked ?? scopes.map(\.leastRole).max() ?? .viewer
        self.rights = APIKeyRights(role: role, scopes: scopes)
        self.rateLimit = reader.optionalInteger("rate_limit", 1...Self.maximumRateLimit)
        self.expiresAt = Self.expiry(&reader, now)
        self.allowed = Self.ranges(&reader) ?? []
        for (field, fault) in Self.excesses(self.rights, maker: maker) { reader.fault(field, fault) }
        try reader.finish()
    }

    /// A change of a key: fields that are not given stay, `rate_limit`, `expires_at` and `allowed_cidrs` given as null are taken off.
    /// - Throws: one validation problem that names every fault.
    init(_ body: JSONValue, over current: APIKey, asker: Principal, now: Date) throws {
        var reader = FieldReader(body)
        self = current.settings
        if reader.has("name") { self.name = reader.line("name", 1...200) }
        if reader.has("scopes") {
            if body["scopes"] == .null { reader.fault("scopes", "must not be null") }
            self.rights.scopes = Self.scopes(&reader) ?? []
        }
        if reader.has("role") {
            if body["role"] == .null { reader.fault("role", "must not be null") }
            self.rights.role = Self.role(&reader) ?? self.rights.role
        }
        if reader.has("rate_limit") { self.rateLimit = reader.optionalInteger("rate_limit", 1...Self.maximumRateLimit) }
        if reader.has("expires_at") { self.expiresAt = Self.expiry(&reader, now) }
        if reader.has("allowed_cidrs") { self.allowed = Self.ranges(&reader) ?? [] }
        if self.rights != current.rights {
            for (field, fault) in Self.excesses(self.rights, maker: asker) { reader.fault(field, fault) }
        }
        try reader.finish()
    }

    init(name: String, rights: APIKeyRights, rateLimit: Int64? = nil, expiresAt: Date? = nil, allowed: [AddressRange] = []) {
        self.name = name
        self.rights = rights
        self.rateLimit = rateLimit
        self.expiresAt = expiresAt
        self.allowed = allowed
    }

    private static func role(_ reader: inout FieldReader) -> Role? {
        guard let text = reader.optionalString("role", 1...20) else { return nil }
        let role = Role(rawValue: text)
        if role == nil { reader.fault("role", "is none of \(Role.allCases.map(\.rawValue).joined(separator: ", "))") }
        return role
    }

    private static func scopes(_ reader: inout FieldReader) -> Set<Scope>? {
        guard let texts = reader.optionalArray("scopes", 1...Scope.allCases.count) else { return nil }
        var scopes: Set<Scope> = []
        for (index, text) in texts.enumerated() {
            if let scope = text.stringValue.flatMap(Scope.init(rawValue:)) {
                scopes.insert(scope)
            } else {
                reader.fault(at: "/scopes/\(index)", "is none of \(Scope.allCases.map(\.rawValue).joined(separator: ", "))")
            }
        }
        return scopes
    }

    private static func expiry(_ reader: inout FieldReader, _ now: Date) -> Date? {
        let date = reader.optionalDate("expires_at")
        if let date, date <= now { reader.fault("expires_at", "lies in the past") }
        return date
    }

    private static func ranges(_ reader: inout FieldReader) -> [AddressRange]? {
        guard let items = reader.optionalArray("allowed_cidrs", 0...self.maximumRanges) else { return nil }
        return items.enumerated().compactMap { index, item in
            let range = item.stringValue.flatMap { AddressRange($0) }
            if range == nil {
                reader.fault(at: "/allowed_cidrs/\(index)", "must be an address or a network like 192.0.2.0/24 or 2001:db8::/32")
            }
            return range
        }
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

    /// What a key makes or changes stays within a key's own settings: no more rights, no longer life, no higher limit, from nowhere else.
    /// - holder: whose bounds these are, as the text names it.
    /// - Throws: one validation problem that names every excess.
    func checkWithin(_ bounds: APIKeySettings, of holder: String) throws(Problem) {
        var faults: [Problem.Fault] = []
        if self.rights.role > bounds.rights.role { faults.append(.init(pointer: "/role", detail: "must not be above that of \(holder)")) }
        if !self.rights.scopes.isSubset(of: bounds.rights.scopes) {
            faults.append(.init(pointer: "/scopes", detail: "must be among those of \(holder)"))
        }
        if let limit = bounds.expiresAt, self.expiresAt.map({ $0 > limit }) ?? true {
            faults.append(
                .init(pointer: "/expires_at", detail: "must be given, and not be later than that of \(holder), \(Timestamp.format(limit))")
            )
        }
        if let limit = bounds.rateLimit, self.rateLimit.map({ $0 > limit }) ?? true {
            faults.append(.init(pointer: "/rate_limit", detail: "must be given, and not be above that of \(holder), \(limit)"))
        }
        if !bounds.allowed.isEmpty,
            self.allowed.isEmpty || !self.allowed.allSatisfy({ own in bounds.allowed.contains { $0.contains(own) } })
        {
            faults.append(.init(pointer: "/allowed_cidrs", detail: "must be given, and lie within those of \(holder)"))
        }
        guard faults.isEmpty else { throw .validation(faults) }
    }

    /// As audit entries tell it.
    var json: [String: JSONValue] {
        [
            "name": .string(self.name), "role": .string(self.rights.role.rawValue),
            "scopes": .array(self.rights.scopes.map(\.rawValue).sorted().map(JSONValue.string)),
            "rate_limit": self.rateLimit.map { .integer($0) } ?? .null,
            "expires_at": self.expiresAt.map { .string(Timestamp.format($0)) } ?? .null,
            "allowed_cidrs": .array(self.allowed.map { .string($0.text) }),
        ]
    }

    /// The fields that differ, as they were and as they are.
    func changes(from before: APIKeySettings) -> AuditedChange { AuditedChange(from: before.json, to: self.json) }
}
