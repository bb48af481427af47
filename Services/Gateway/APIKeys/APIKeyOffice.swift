import Database
import Foundation
import Models
import ServiceKit

/// Makes, changes, rotates and revokes keys, each with its announcement to the replicas and its audit entry in the caller's transaction.
struct APIKeyOffice: Sendable {
    /// Keys of one organization that are neither revoked nor expired.
    static let mostLiveKeys = 1_000
    /// Generations of keys that keys made: each request asks for the limits of all above it.
    static let deepestLine = 8

    let keys: APIKeyStore
    let rotations: KeyRotationStore
    let audit: AuditStore

    /// - Throws: 409 at the cap of live keys or of generations; a validation problem beyond the asking key's bounds.
    func make(_ new: APIKeySettings, _ material: APIKeyMaterial, by context: CallerContext, _ transaction: Transaction) throws -> APIKey {
        let organization = context.organizationID
        guard try self.keys.countLive(in: organization, transaction) < Self.mostLiveKeys else {
            throw Problem(.conflict, "The organization has \(Self.mostLiveKeys) keys that work; revoke one first.")
        }
        if case .key(let parent, _) = context.principal.subject {
            guard let bounds = try self.keys.bounds(of: parent, in: organization, transaction) else { throw Credential.refused }
            try new.checkWithin(bounds, of: "the key that asks")
            guard try self.keys.line(of: parent, in: organization, transaction).count < Self.deepestLine else {
                throw Problem(.conflict, "This key stands \(Self.deepestLine) generations deep: it can make no keys.")
            }
        }
        guard let key = try self.keys.insert(new, material, by: context.principal, transaction) else {
            throw Problem(.internal, "The key was not stored.")
        }
        var details = new.json
        details["prefix"] = .string(key.prefix)
        try self.record("key.created", key.id, .object(details), context, transaction)
        return key
    }

    /// - Throws: 404, 409 for a revoked key, 403 where the asker may not touch it, a validation problem beyond the asker's or the maker's bounds.
    func change(_ id: APIKeyID, _ body: JSONValue, by context: CallerContext, _ transaction: Transaction) throws -> APIKey {
        let organization = context.organizationID
        let current = try self.touchable(id, by: context, transaction)
        let settings = try APIKeySettings(body, over: current, asker: context.principal, now: Date())
        try self.checkBounds(settings, of: current, by: context, transaction)
        guard let key = try self.keys.update(id, to: settings, in: organization, transaction) else { throw Problem.notFound }
        let changes = settings.changes(from: current.settings)
        if !changes.isEmpty {
            try Revocation.announce(.key(organization, id), in: transaction)
            try self.record("key.updated", id, changes.details, context, transaction)
        }
        return key
    }

    /// - Throws: as ``change(_:_:by:_:)``; 409 for an expired key and for too many older strings.
    func rotate(
        _ id: APIKeyID,
        to material: APIKeyMaterial,
        _ rotation: KeyRotation,
        by context: CallerContext,
        _ transaction: Transaction
    ) throws -> APIKey {
        let organization = context.organizationID
        let current = try self.touchable(id, by: context, transaction)
        if let end = current.settings.expiresAt, end <= Date() { throw Problem(.conflict, "This key has expired.") }
        guard let key = try self.rotations.rotate(id, to: material, rotation, in: organization, transaction) else { throw Problem.notFound }
        try Revocation.announce(.key(organization, id), in: transaction)
        let details: JSONValue = [
            "before": ["prefix": .string(current.prefix)], "after": ["prefix": .string(key.prefix)],
            "grace_seconds": .integer(rotation.graceSeconds),
        ]
        try self.record("key.rotated", id, details, context, transaction)
        return key
    }

    /// - Throws: 404.
    func revoke(_ id: APIKeyID, by context: CallerContext, _ transaction: Transaction) throws {
        let organization = context.organizationID
        guard let family = try self.keys.revoke(id, in: organization, transaction) else { throw Problem.notFound }
        for revoked in family { try Revocation.announce(.key(organization, revoked), in: transaction) }
        for revoked in family {
            try self.record("key.revoked", revoked, ["asked": .string("key:\(id)")], context, transaction)
        }
    }

    /// The key, locked. Who cannot do all that it can may not touch it: a new string or a longer life of it would be theirs. A key touches only
    /// itself and the keys that it made.
    private func touchable(_ id: APIKeyID, by context: CallerContext, _ transaction: Transaction) throws -> APIKey {
        guard let key = try self.keys.lock(id, in: context.organizationID, transaction) else { throw Problem.notFound }
        guard key.revokedAt == nil else { throw Problem(.conflict, "This key is revoked.") }
        guard APIKeySettings.excesses(key.rights, maker: context.principal).isEmpty else {
            throw Problem(.forbidden, "This key may do more than you may.")
        }
        if case .key(let asker, _) = context.principal.subject {
            guard try self.keys.line(of: id, in: context.organizationID, transaction).contains(asker) else {
                throw Problem(.forbidden, "A key changes only itself and the keys that it made.")
            }
        }
        return key
    }

    /// What was made by a key stays within that key, whoever asks; what a key asks for stays within the key itself.
    private func checkBounds(
        _ settings: APIKeySettings,
        of current: APIKey,
        by context: CallerContext,
        _ transaction: Transaction
    ) throws {
        var unnamed = settings
        unnamed.name = current.name
        // Another name is no more than before, even where a maker's bounds have shrunk below the key.
        guard unnamed != current.settings else { return }
        let organization = context.organizationID
        if let parent = current.parentID {
            guard let bounds = try self.keys.bounds(of: parent, in: organization, transaction) else { throw Problem.notFound }
            try settings.checkWithin(bounds, of: "the key that made it")
        }
        if case .key(let asker, _) = context.principal.subject {
            guard let bounds = try self.keys.bounds(of: asker, in: organization, transaction) else { throw Credential.refused }
            try settings.checkWithin(bounds, of: "the key that asks")
        }
    }

    private func record(
        _ action: String,
        _ key: APIKeyID,
        _ details: JSONValue,
        _ context: CallerContext,
        _ transaction: Transaction
    ) throws {
        let change = AuditChange(action: action, target: "key:\(key)", details: details)
        try self.audit.record(change, by: AuditOrigin(context), in: context.organizationID, transaction)
    }
}
