/// API keys.
extension RouteCatalogue {
    static let keys: [Route] = [.createKey, .listKeys, .getKey, .revokeKey]
}

extension Route {
    package static let createKey = Route(
        .post,
        "/api/v1/api/keys",
        .gateway,
        .member(.admin, .keysWrite),
        "Create an API key",
        idempotent: true
    )
    package static let listKeys = Route(.get, "/api/v1/api/keys", .gateway, .member(.admin, .keysRead), "List API keys")
    package static let getKey = Route(.get, "/api/v1/api/keys/{id}", .gateway, .member(.admin, .keysRead), "One API key")
    package static let revokeKey = Route(.delete, "/api/v1/api/keys/{id}", .gateway, .member(.admin, .keysWrite), "Revoke an API key")
}
