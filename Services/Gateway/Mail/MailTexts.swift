import Models

/// The words of the gateway's own mails. What strangers choose, say the name of an account that they made for somebody else's address, stays out
/// of mails that nobody signed in asked for.
///
/// Each names the link of the panel and, for those who use the API alone, the token and its route.
struct MailTexts: Sendable {
    let publicURL: String

    func verification(of email: String, _ token: Secret) -> Mail {
        Mail(
            kind: "email_verification",
            recipient: email,
            subject: "Confirm your email address",
            text: """
                Hello,

                please confirm that this is your email address:

                \(self.publicURL)/verify-email?token=\(token.reveal())

                The link works once, for 24 hours. Over the API: POST /api/v1/auth/email/verify with {"token": "\(token.reveal())"}.

                If you did not sign up, somebody mistyped an address. You need not do anything.

                """,
            lifetime: TokenPurpose.verifyEmail.lifetime
        )
    }

    func reset(of email: String, _ token: Secret) -> Mail {
        Mail(
            kind: "password_reset",
            recipient: email,
            subject: "Choose a new password",
            text: """
                Hello,

                somebody asked for a new password for your account. If it was you, choose one here:

                \(self.publicURL)/reset-password?token=\(token.reveal())

                The link works once, for one hour. Over the API: POST /api/v1/auth/password/reset with
                {"token": "\(token.reveal())", "password": "…"}.

                If it was not you, you need not do anything: your password stays as it is.

                """,
            lifetime: TokenPurpose.resetPassword.lifetime
        )
    }

    func invitation(to email: String, _ organization: String, _ role: Role, by inviter: String, _ token: Secret) -> Mail {
        Mail(
            kind: "invitation",
            recipient: email,
            subject: "Invitation to \(organization)",
            text: """
                Hello,

                \(inviter) invites you to join \(organization) as \(role.rawValue):

                \(self.publicURL)/accept-invitation?token=\(token.reveal())

                The link works once, for seven days. Over the API: POST /api/v1/auth/invitations/accept with {"token": "\(token.reveal())"}, and
                "name" and "password" where you have no account yet.

                """,
            lifetime: NewInvitation.lifetime
        )
    }

    /// To whom the account belongs, after what they may not have done themselves.
    func passwordChanged(of email: String) -> Mail {
        Mail(
            kind: "password_changed",
            recipient: email,
            subject: "Your password was changed",
            text: """
                Hello,

                the password of your account was just changed, and other sessions were ended.

                If it was not you, choose a new one at once: \(self.publicURL)/forgot-password

                """,
            lifetime: 86_400
        )
    }
}
