import Hummingbird
import Models
import ServiceKit

/// `/api/v1/webhooks/keys`.
struct SigningKeyRoutes: Sendable {
    let store: SigningKeyStore
    let idempotency: Idempotency
    let outbox: Outbox

    func mount(in table: RouteTable) {
        table.mount(.listSigningKeys, self.list)
        table.mount(.rotateSigningKey, self.rotate)
        table.mountOpen(.signingKeySet, self.keySet)
    }

    @Sendable func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page()
        let found = try await self.store.list(page, in: context.organizationID).map { try SigningKeyResponse($0) }
        return try .json(Page(fetched: found, request: page, id: { $0.id.rawValue }))
    }

    @Sendable func rotate(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        let rotation = try SigningKeyRotation(body.value)
        let response = try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            let (key, replaced) = try self.store.rotate(rotation, in: context.organizationID, transaction)
            try self.outbox.audit(
                "signing_key.rotated",
                target: "signing_key:\(key.id)",
                details: [
                    "replaced": replaced.map { .integer($0.rawValue) } ?? .null, "grace_seconds": .integer(rotation.graceSeconds),
                ],
                by: context,
                in: transaction
            )
            return try .json(SigningKeyResponse(key), status: 201)
        }
        self.store.cache.drop(context.organizationID)
        return response
    }

    /// For everyone, so that receivers need no credential. An organization that does not exist has no keys, as one that has not made any:
    /// which ids are taken is not told.
    @Sendable func keySet(_ request: Request, _ context: BaseContext) async throws -> Response {
        guard let organization = context.parameters.get("organization_id").flatMap(OrganizationID.init) else { throw Problem.notFound }
        let keys = try await self.store.published(PageRequest(limit: PageRequest.limits.upperBound), in: organization)
        var response = try Response.json(KeySetResponse(keys))
        response.headers[.contentType] = KeySetResponse.mediaType
        response.headers[.cacheControl] = KeySetResponse.caching
        return response
    }
}
