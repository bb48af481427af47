/// The keys that deliveries are signed with.
extension RouteCatalogue {
    static let signing: [Route] = [.listSigningKeys, .rotateSigningKey, .signingKeySet]
}

extension Route {
    package static let listSigningKeys = Route(
        .get,
        "/api/v1/webhooks/keys",
        .webhooks,
        .member(.viewer, .webhooksRead),
        "The public keys that deliveries are signed with"
    )
    package static let rotateSigningKey = Route(
        .post,
        "/api/v1/webhooks/keys/rotate",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Sign deliveries with a new key",
        idempotent: true
    )
    package static let signingKeySet = Route(
        .get,
        "/api/v1/webhooks/keys/{organization_id}/jwks.json",
        .webhooks,
        .anyone,
        "An organization's public keys as a JSON Web Key Set"
    )
}
