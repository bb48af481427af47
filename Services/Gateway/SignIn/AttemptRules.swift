import Encryption
import Models
import ServiceKit

/// How often something may be tried: so many times at once, then once in each interval.
struct AttemptRule: Sendable, Equatable {
    /// Part of the stored key: no two rules share a budget.
    var name: String
    var burst: Int
    /// Seconds.
    var interval: Int

    /// Failed sign-ins from one network, whatever the account.
    static let network = AttemptRule(name: "network", burst: 50, interval: 10)
    /// Failed sign-ins to one account from one network.
    static let pair = AttemptRule(name: "pair", burst: 10, interval: 60)
    /// Failed sign-ins to one account from all networks that it was never signed in to from. Those that it was are not counted here: a stranger who
    /// uses this up does not shut its user out. For the user in a new place it only slows; resetting the password makes that place known.
    static let account = AttemptRule(name: "account", burst: 20, interval: 30)
    /// Codes of the second factor for one user, from anywhere: only who has the password gets so far.
    static let code = AttemptRule(name: "code", burst: 10, interval: 300)
    /// Registrations and accepted invitations from one network.
    static let registration = AttemptRule(name: "registration", burst: 100, interval: 36)
    /// Mails of one kind to one address that anybody can cause.
    static let mail = AttemptRule(name: "mail", burst: 3, interval: 1_200)
    /// Requests for a reset from one network.
    static let resetRequest = AttemptRule(name: "reset_request", burst: 20, interval: 60)
    /// Invitations of one organization.
    static let invitation = AttemptRule(name: "invitation", burst: 100, interval: 900)
    /// Organizations that one user makes.
    static let organization = AttemptRule(name: "organization", burst: 10, interval: 3_600)
}

/// One budget: a rule for one subject.
struct AttemptBudget: Sendable, Equatable {
    var rule: AttemptRule
    /// HMAC of rule and subject.
    var key: String
}

/// Names budgets. Subjects are stored as HMACs: tables and backups tell neither addresses nor what was typed into the wrong field.
struct AttemptBudgets: Sendable {
    private let mac: HMACKey

    init(keyRing: KeyRing) throws { self.mac = try HMACKey(.sha256, key: try keyRing.subkey("attempt-limits")) }

    func of(_ rule: AttemptRule, _ subject: String) throws -> AttemptBudget {
        AttemptBudget(rule: rule, key: try self.digest("\(rule.name)|\(subject)"))
    }

    func knownNetwork(_ network: ClientNetwork) throws -> String { try self.digest("known|\(network.text)") }

    /// What a try of a password costs. The address of an account that does not exist is counted exactly as one that does.
    func signIn(to email: String, from network: ClientNetwork, isKnown: Bool) throws -> [AttemptBudget] {
        let email = email.lowercased()
        var budgets = [try self.of(.network, network.text), try self.of(.pair, "\(network.text)|\(email)")]
        if !isKnown { budgets.append(try self.of(.account, email)) }
        return budgets
    }

    private func digest(_ text: String) throws -> String { Hex.encode(try self.mac.authenticate(Array(text.utf8))) }
}
