/// Users, their sessions, and who they act for.
extension RouteCatalogue {
    static let accounts: [Route] = [.register, .login, .refreshSession, .logout, .me, .publicUser]
}

extension Route {
    package static let register = Route(.post, "/api/v1/auth/register", .gateway, .anyone, "Create a user and their organization")
    package static let login = Route(.post, "/api/v1/auth/login", .gateway, .anyone, "Sign in with email and password")
    package static let refreshSession = Route(.post, "/api/v1/auth/refresh", .gateway, .anyone, "Exchange a refresh token for new tokens")
    package static let logout = Route(.post, "/api/v1/auth/logout", .gateway, .user(.viewer), "End this session")
    package static let me = Route(.get, "/api/v1/auth/me", .gateway, .user(.viewer), "The signed-in user, organization and role")
    package static let publicUser = Route(
        .get,
        "/api/v1/api/public/user",
        .gateway,
        .member(.viewer, .organizationRead),
        "Who this API key acts for"
    )
}
