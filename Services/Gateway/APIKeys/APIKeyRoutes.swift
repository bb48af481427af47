import Database
import Foundation
import Hummingbird
import Models
import ServiceKit

struct APIKeyRoutes: Sendable {
    let database: Postgres
    let keys: APIKeyStore
    let audit: AuditStore
    let idempotency: Idempotency
    /// `swb_live_` in production, `swb_test_` elsewhere.
    let format: TokenFormat

    func mount(on table: RouteTable) {
        table.mount(.createKey, self.create)
        table.mount(.listKeys, self.list)
        table.mount(.getKey, self.get)
        table.mount(.revokeKey, self.revoke)
    }

    private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        let maker = context.principal
        let new = try NewAPIKey(body.value, maker: maker, now: Date())
        let origin = AuditOrigin(context)
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            if case .key(let parent, _) = maker.subject {
                guard let bounds = try self.keys.bounds(of: parent, in: maker.organizationID, transaction) else { throw Credential.refused }
                try new.checkWithin(expiresAt: bounds.expiresAt, rateLimit: bounds.rateLimit)
            }
            let material = try APIKeyMaterial(self.format)
            guard let key = try self.keys.insert(new, material, by: maker, transaction) else {
                throw Problem(.internal, "The key was not stored.")
            }
            let details: JSONValue = [
                "name": .string(key.name), "prefix": .string(key.prefix), "role": .string(key.rights.role.rawValue),
                "scopes": .array(key.rights.scopes.map(\.rawValue).sorted().map(JSONValue.string)),
            ]
            let change = AuditChange(action: "key.created", target: "key:\(key.id)", details: details)
            try self.audit.record(change, by: origin, in: maker.organizationID, transaction)
            return try .json(APIKeyResponse(stored: key, key: material.key), status: 201)
        }
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page()
        let keys = try await self.keys.list(page, in: context.organizationID)
        let items = Page(fetched: keys.map { APIKeyResponse(stored: $0) }, request: page, id: { $0.stored.id.rawValue })
        return try .json(items)
    }

    private func get(_ request: Request, _ context: CallerContext) async throws -> Response {
        guard let key = try await self.keys.find(try context.id(), in: context.organizationID) else { throw Problem.notFound }
        return try .json(APIKeyResponse(stored: key))
    }

    /// Ends the key and every key that it made. 204 also for one that is revoked already.
    private func revoke(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: APIKeyID = try context.id()
        let organization = context.organizationID
        let origin = AuditOrigin(context)
        try await self.database.transaction { transaction in
            guard let family = try self.keys.revoke(id, in: organization, transaction) else { throw Problem.notFound }
            for revoked in family {
                try Revocation.announce(.key(organization, revoked), in: transaction)
                let change = AuditChange(action: "key.revoked", target: "key:\(revoked)", details: ["asked": .string("key:\(id)")])
                try self.audit.record(change, by: origin, in: organization, transaction)
            }
        }
        return .noContent
    }
}
