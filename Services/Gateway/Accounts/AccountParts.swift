import Models
import ServiceKit
import ServiceLifecycle

/// All about users: accounts, sessions, second factors, organizations, members, and the mail to them.
struct AccountParts: Sendable {
    /// For other parts that have something to tell to members.
    let mails: MailQueue
    let registration: AccountRoutes
    let workers: [(name: String, service: any Service)]
    private let mountAll: @Sendable (RouteTable) -> Void

    /// - authenticator: knows the session of somebody who accepts an invitation.
    init(
        _ house: House,
        way: MailWay,
        audit: AuditStore,
        sessions: SessionStore,
        sessionUses: SessionUses,
        authenticator: Authenticator
    ) throws {
        let database = house.database
        let (accounts, trail) = (sessions.accounts, UserTrail(audit: audit))
        let organizations = OrganizationStore(database: database, audit: audit)
        let (members, invitations) = (MemberStore(database: database), InvitationStore(database: database))
        let (attempts, budgets) = (AttemptStore(database: database), try AttemptBudgets(keyRing: house.keyRing))
        let factors = try SecondFactorStore(keyRing: house.keyRing)
        let factor = SecondFactorCheck(database: database, factors: factors, attempts: attempts, budgets: budgets)
        let (mails, texts) = (
            try MailQueue(database: database, keyRing: house.keyRing, way: way), MailTexts(publicURL: house.configuration.publicURL)
        )
        let tokens = UserTokenStore(database: database)
        let passwords = PasswordCheck(
            database: database,
            accounts: accounts,
            attempts: attempts,
            budgets: budgets,
            share: HashingShare(),
            logger: house.logger
        )
        let signIn = SignIn(
            database: database,
            accounts: accounts,
            sessions: sessions,
            attempts: attempts,
            budgets: budgets,
            passwords: passwords,
            factor: factor
        )
        let emails = EmailVerification(
            database: database,
            accounts: accounts,
            tokens: tokens,
            mails: mails,
            texts: texts,
            attempts: attempts,
            budgets: budgets,
            trail: trail
        )
        let registration = AccountRoutes(
            database: database,
            accounts: accounts,
            organizations: organizations,
            emails: emails,
            signIn: signIn
        )
        let mounted: [any Mountable] = [
            registration,
            SessionRoutes(database: database, sessions: sessions, trail: trail),
            emails,
            PasswordRoutes(
                database: database,
                accounts: accounts,
                sessions: sessions,
                tokens: tokens,
                mails: mails,
                texts: texts,
                attempts: attempts,
                budgets: budgets,
                passwords: passwords,
                factors: factors,
                trail: trail
            ),
            SecondFactorRoutes(database: database, factors: factors, check: factor, passwords: passwords, trail: trail),
            OrganizationRoutes(
                database: database,
                organizations: organizations,
                audit: audit,
                attempts: attempts,
                budgets: budgets,
                idempotency: house.idempotency
            ),
            MemberRoutes(database: database, organizations: organizations, members: members, invitations: invitations, audit: audit),
            InvitationRoutes(
                database: database,
                organizations: organizations,
                accounts: accounts,
                invitations: invitations,
                mails: mails,
                texts: texts,
                attempts: attempts,
                budgets: budgets,
                audit: audit,
                idempotency: house.idempotency
            ),
            Acceptance(
                database: database,
                authenticator: authenticator,
                organizations: organizations,
                members: members,
                accounts: accounts,
                invitations: invitations,
                signIn: signIn,
                audit: audit
            ),
        ]
        self.mails = mails
        self.registration = registration
        self.workers = [("mail", MailWorker(queue: mails, logger: house.logger)), ("session_uses", sessionUses)]
        self.mountAll = { table in for part in mounted { part.mount(on: table) } }
    }

    func mount(on table: RouteTable) { self.mountAll(table) }
}

/// Routes of one feature.
protocol Mountable: Sendable {
    func mount(on table: RouteTable)
}

extension AccountRoutes: Mountable {}
extension SessionRoutes: Mountable {}
extension EmailVerification: Mountable {}
extension PasswordRoutes: Mountable {}
extension SecondFactorRoutes: Mountable {}
extension OrganizationRoutes: Mountable {}
extension MemberRoutes: Mountable {}
extension InvitationRoutes: Mountable {}
extension Acceptance: Mountable {}
