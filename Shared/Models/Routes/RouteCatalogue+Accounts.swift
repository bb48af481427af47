/// Users, their sessions, and who they act for.
extension RouteCatalogue {
    static let accounts: [Route] =
        [.register, .login, .refreshSession, .logout, .logoutEverywhere, .me, .publicUser, .listSessions, .endSession] + credentials
        + belonging

    private static let credentials: [Route] = [
        .changePassword, .forgotPassword, .resetPassword, .sendVerification, .verifyEmail, .beginTOTP, .confirmTOTP, .disableTOTP,
    ]

    private static let belonging: [Route] = [
        .listOrganizations, .switchOrganization, .createOrganization, .renameOrganization, .leaveOrganization,
        .listMembers, .changeMember, .removeMember, .createInvitation, .listInvitations, .revokeInvitation, .acceptInvitation,
    ]
}

extension Route {
    package static let register = Route(.post, "/api/v1/auth/register", .gateway, .anyone, "Create a user and their organization")
    package static let login = Route(.post, "/api/v1/auth/login", .gateway, .anyone, "Sign in with email and password")
    package static let refreshSession = Route(.post, "/api/v1/auth/refresh", .gateway, .anyone, "Exchange a refresh token for new tokens")
    package static let logout = Route(.post, "/api/v1/auth/logout", .gateway, .user(.viewer), "End this session")
    package static let logoutEverywhere = Route(
        .post,
        "/api/v1/auth/logout-all",
        .gateway,
        .user(.viewer),
        "End all sessions of the user in all organizations"
    )
    package static let me = Route(.get, "/api/v1/auth/me", .gateway, .user(.viewer), "The signed-in user, organization and role")
    package static let publicUser = Route(
        .get,
        "/api/v1/api/public/user",
        .gateway,
        .member(.viewer, .organizationRead),
        "Who this API key acts for"
    )
    package static let listSessions = Route(.get, "/api/v1/auth/sessions", .gateway, .user(.viewer), "The user's sessions, newest first")
    package static let endSession = Route(.delete, "/api/v1/auth/sessions/{id}", .gateway, .user(.viewer), "End one of the user's sessions")
}

/// Passwords, addresses and second factors.
extension Route {
    package static let changePassword = Route(
        .post,
        "/api/v1/auth/password",
        .gateway,
        .user(.viewer),
        "Change the password and end all other sessions"
    )
    package static let forgotPassword = Route(
        .post,
        "/api/v1/auth/password/forgot",
        .gateway,
        .anyone,
        "Mail a token to choose a new password"
    )
    package static let resetPassword = Route(
        .post,
        "/api/v1/auth/password/reset",
        .gateway,
        .anyone,
        "Choose a new password with a mailed token"
    )
    package static let sendVerification = Route(
        .post,
        "/api/v1/auth/email/verification",
        .gateway,
        .user(.viewer),
        "Mail the token that verifies the email address again"
    )
    package static let verifyEmail = Route(
        .post,
        "/api/v1/auth/email/verify",
        .gateway,
        .anyone,
        "Verify an email address with a mailed token"
    )
    package static let beginTOTP = Route(.post, "/api/v1/auth/totp", .gateway, .user(.viewer), "Set up an authenticator app")
    package static let confirmTOTP = Route(
        .post,
        "/api/v1/auth/totp/confirm",
        .gateway,
        .user(.viewer),
        "Switch the second factor on with a first code"
    )
    package static let disableTOTP = Route(.post, "/api/v1/auth/totp/disable", .gateway, .user(.viewer), "Switch the second factor off")
}

/// Organizations and who belongs to them.
extension Route {
    package static let listOrganizations = Route(.get, "/api/v1/auth/organizations", .gateway, .user(.viewer), "The user's organizations")
    package static let switchOrganization = Route(
        .post,
        "/api/v1/auth/switch",
        .gateway,
        .user(.viewer),
        "Exchange this session for one in another organization"
    )
    package static let createOrganization = Route(
        .post,
        "/api/v1/organizations",
        .gateway,
        .user(.viewer),
        "Create another organization",
        idempotent: true
    )
    package static let renameOrganization = Route(.patch, "/api/v1/organization", .gateway, .user(.owner), "Rename the organization")
    package static let leaveOrganization = Route(.post, "/api/v1/organization/leave", .gateway, .user(.viewer), "Leave the organization")
    package static let listMembers = Route(.get, "/api/v1/members", .gateway, .user(.admin), "List the organization's members")
    package static let changeMember = Route(.patch, "/api/v1/members/{id}", .gateway, .user(.owner), "Change a member's role")
    package static let removeMember = Route(.delete, "/api/v1/members/{id}", .gateway, .user(.owner), "Remove a member")
    package static let createInvitation = Route(
        .post,
        "/api/v1/invitations",
        .gateway,
        .user(.owner),
        "Invite somebody by email",
        idempotent: true
    )
    package static let listInvitations = Route(.get, "/api/v1/invitations", .gateway, .user(.owner), "List invitations")
    package static let revokeInvitation = Route(.delete, "/api/v1/invitations/{id}", .gateway, .user(.owner), "Take an invitation back")
    package static let acceptInvitation = Route(
        .post,
        "/api/v1/auth/invitations/accept",
        .gateway,
        .anyone,
        "Join an organization with a mailed token"
    )
}
