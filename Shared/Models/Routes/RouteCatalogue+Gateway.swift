extension RouteCatalogue {
    package static let gateway: [Route] = [
        .register, .login, .refreshSession, .logout, .me,
        .createKey, .listKeys, .getKey, .revokeKey, .publicUser,
        .recordAudit,
    ]
}

extension Route {
    package static let register = Route(.post, "/api/v1/auth/register", .gateway, .anyone, "Create a user and their organization")
    package static let login = Route(.post, "/api/v1/auth/login", .gateway, .anyone, "Sign in with email and password")
    package static let refreshSession = Route(.post, "/api/v1/auth/refresh", .gateway, .anyone, "Exchange a refresh token for new tokens")
    package static let logout = Route(.post, "/api/v1/auth/logout", .gateway, .user(.viewer), "End this session")
    package static let me = Route(.get, "/api/v1/auth/me", .gateway, .user(.viewer), "The signed-in user, organization and role")
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
    package static let publicUser = Route(
        .get,
        "/api/v1/api/public/user",
        .gateway,
        .member(.viewer, .organizationRead),
        "Who this API key acts for"
    )
    package static let recordAudit = Route(
        .post,
        "/internal/audit",
        .gateway,
        .service([.integrations, .campaigns, .webhooks]),
        "Take audit entries from an outbox"
    )
}
