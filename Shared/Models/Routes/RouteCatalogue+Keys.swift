/// API keys.
extension RouteCatalogue {
    static let keys: [Route] = [.createKey, .listKeys, .getKey, .updateKey, .rotateKey, .keyUsage, .revokeKey]
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
    package static let updateKey = Route(.patch, "/api/v1/api/keys/{id}", .gateway, .member(.admin, .keysWrite), "Change an API key")
    package static let rotateKey = Route(
        .post,
        "/api/v1/api/keys/{id}/rotate",
        .gateway,
        .member(.admin, .keysWrite),
        "Give an API key a new string",
        idempotent: true
    )
    package static let keyUsage = Route(
        .get,
        "/api/v1/api/keys/{id}/usage",
        .gateway,
        .member(.admin, .keysRead),
        "What an API key was used for"
    )
    package static let revokeKey = Route(.delete, "/api/v1/api/keys/{id}", .gateway, .member(.admin, .keysWrite), "Revoke an API key")
}
