import Models
import Testing

@testable import Gateway

@Suite struct CredentialCacheTests {
    private static let start = ContinuousClock.now
    private static let organization = OrganizationID(7)

    private func known(_ session: Int64, user: Int64 = 1) -> KnownCredential {
        KnownCredential(
            principal: Principal(organizationID: Self.organization, subject: .user(UserID(user)), role: .viewer, scopes: nil),
            limits: [],
            tags: [.session(Self.organization, SessionID(session)), .member(Self.organization, UserID(user))]
        )
    }

    private func digest(_ number: Int) throws -> TokenDigest { try TokenDigest("token \(number)") }

    private func fill(_ rules: inout CredentialCacheRules, _ number: Int, seconds: Int = 30) throws {
        rules.fill(try self.digest(number), with: self.known(Int64(number)), until: Self.start + .seconds(seconds), rules.ticket())
    }

    @Test func answersUntilTheDeadline() throws {
        var rules = CredentialCacheRules(capacity: 10)
        try self.fill(&rules, 1)
        #expect(rules.find(try self.digest(1), at: Self.start + .seconds(29)) == self.known(1))
        #expect(rules.find(try self.digest(1), at: Self.start + .seconds(30)) == nil)
        #expect(rules.find(try self.digest(2), at: Self.start) == nil)
    }

    @Test func revocationForgetsWhatItNamesAndNothingElse() throws {
        var rules = CredentialCacheRules(capacity: 10)
        try self.fill(&rules, 1)
        try self.fill(&rules, 2)
        rules.drop(.session(Self.organization, SessionID(1)))
        #expect(rules.find(try self.digest(1), at: Self.start) == nil)
        #expect(rules.find(try self.digest(2), at: Self.start) != nil)
        rules.drop(.member(Self.organization, UserID(1)))
        #expect(rules.find(try self.digest(2), at: Self.start) == nil)
    }

    @Test func fillThatRacedARevocationIsDiscarded() throws {
        var rules = CredentialCacheRules(capacity: 10)
        let ticket = rules.ticket()
        rules.drop(.session(Self.organization, SessionID(1)))
        rules.fill(try self.digest(1), with: self.known(1), until: Self.start + .seconds(30), ticket)
        #expect(rules.find(try self.digest(1), at: Self.start) == nil)
        let other = rules.ticket()
        rules.dropAll()
        rules.fill(try self.digest(1), with: self.known(1), until: Self.start + .seconds(30), other)
        #expect(rules.find(try self.digest(1), at: Self.start) == nil)
    }

    @Test func staysWithinItsCapacityAndKeepsWhatIsUsed() throws {
        var rules = CredentialCacheRules(capacity: 100)
        try self.fill(&rules, 0)
        for number in 1...1_000 {
            try self.fill(&rules, number)
            #expect(rules.count <= 100)
            #expect(rules.find(try self.digest(0), at: Self.start) != nil, "used at every step, gone at \(number)")
        }
        #expect(rules.find(try self.digest(1), at: Self.start) == nil)
    }

    @Test func revocationReachesBothGenerations() throws {
        var rules = CredentialCacheRules(capacity: 4)
        try self.fill(&rules, 1)
        try self.fill(&rules, 2)
        try self.fill(&rules, 3)
        #expect(rules.find(try self.digest(1), at: Self.start) != nil)
        rules.drop(.session(Self.organization, SessionID(1)))
        #expect(rules.find(try self.digest(1), at: Self.start) == nil)
    }

    @Test func echoIsTrustedForLessThan750Milliseconds() {
        var proof = EchoProof()
        #expect(!proof.isFresh(at: Self.start))
        proof.heard(sentAt: Self.start)
        #expect(proof.isFresh(at: Self.start + .milliseconds(749)))
        #expect(!proof.isFresh(at: Self.start + .milliseconds(750)))
        // An echo that was overtaken does not turn the proof back.
        proof.heard(sentAt: Self.start - .seconds(1))
        #expect(proof.isFresh(at: Self.start + .milliseconds(749)))
        proof.forget()
        #expect(!proof.isFresh(at: Self.start))
    }

    @Test func cacheWithoutProofAnswersNothing() throws {
        let cache = CredentialCache(capacity: 10, lifetime: .seconds(30))
        cache.fill(try self.digest(1), with: self.known(1), remaining: nil, cache.ticket())
        #expect(cache.find(try self.digest(1)) == nil)
        cache.heardEcho(sentAt: .now)
        #expect(cache.find(try self.digest(1)) == self.known(1))
        cache.dropAll()
        #expect(!cache.isTrusted)
    }

    @Test(arguments: [
        CredentialTag.session(OrganizationID(1), SessionID(2)), .key(OrganizationID(1), APIKeyID(2)),
        .member(OrganizationID(3), UserID(4)), .organization(OrganizationID(5)),
    ])
    func tagsSurviveTheNotification(_ tag: CredentialTag) {
        #expect(CredentialTag(tag.text) == tag)
    }

    @Test(arguments: ["", "key", "key:1", "key:1:x", "organization:1:2", "team:1:2"]) func otherPayloadsAreNoTags(_ text: String) {
        #expect(CredentialTag(text) == nil)
    }
}
