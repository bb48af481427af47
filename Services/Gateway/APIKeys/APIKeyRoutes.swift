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
        table.mount(.updateKey, self.update)
        table.mount(.rotateKey, self.rotate)
        table.mount(.revokeKey, self.revoke)
    }

    private var office: APIKeyOffice {
        APIKeyOffice(keys: self.keys, rotations: KeyRotationStore(database: self.database), audit: self.audit)
    }

    private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            // Judged here and not before: a repeat gets its first answer also when the asked end has passed.
            let new = try APIKeySettings(body.value, maker: context.principal, now: Date())
            let material = try APIKeyMaterial(self.format)
            let key = try self.office.make(new, material, by: context, transaction)
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

    private func update(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: APIKeyID = try context.id()
        let body = try await request.jsonBody()
        let key = try await self.database.transaction { transaction in
            try self.office.change(id, body.value, by: context, transaction)
        }
        return try .json(APIKeyResponse(stored: key))
    }

    private func rotate(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: APIKeyID = try context.id()
        let body = try await request.jsonBody()
        let rotation = try KeyRotation(body.value)
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            let material = try APIKeyMaterial(self.format)
            let key = try self.office.rotate(id, to: material, rotation, by: context, transaction)
            return try .json(APIKeyResponse(stored: key, key: material.key), status: 201)
        }
    }

    /// Ends the key and every key that it made. 204 also for one that is revoked already.
    private func revoke(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: APIKeyID = try context.id()
        try await self.database.transaction { transaction in try self.office.revoke(id, by: context, transaction) }
        return .noContent
    }
}
