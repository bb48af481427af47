import Synchronization

/// The rules of remembering credentials, without clock or lock.
///
/// Bounded by two generations: the young one takes new and used entries; when it is full it becomes the old one, and what was in the old
/// one, not used since, is forgotten. An entry lives for its lifetime at most.
struct CredentialCacheRules {
    typealias Instant = ContinuousClock.Instant

    /// Taken before the database is asked. A revocation in between makes it worthless: the answer may be older than the revocation.
    struct Ticket: Equatable { fileprivate var epoch: UInt64 }

    private struct Entry {
        var known: KnownCredential
        var deadline: Instant
    }

    private struct Generation {
        var entries: [TokenDigest: Entry] = [:]
        var byTag: [CredentialTag: Set<TokenDigest>] = [:]

        mutating func insert(_ entry: Entry, for digest: TokenDigest) {
            self.entries[digest] = entry
            for tag in entry.known.tags { self.byTag[tag, default: []].insert(digest) }
        }

        mutating func remove(_ tag: CredentialTag) {
            for digest in self.byTag.removeValue(forKey: tag) ?? [] { self.entries[digest] = nil }
        }
    }

    private var young = Generation()
    private var old = Generation()
    private var epoch: UInt64 = 0
    private let capacity: Int

    /// - capacity: entries kept at most; at least 2.
    init(capacity: Int) { self.capacity = capacity }

    var count: Int { self.young.entries.count + self.old.entries.keys.count { self.young.entries[$0] == nil } }

    mutating func find(_ digest: TokenDigest, at now: Instant) -> KnownCredential? {
        if let entry = self.young.entries[digest] { return entry.deadline > now ? entry.known : nil }
        guard let entry = self.old.entries[digest], entry.deadline > now else { return nil }
        self.insert(entry, for: digest)
        return entry.known
    }

    func ticket() -> Ticket { Ticket(epoch: self.epoch) }

    /// Remembers an answer unless something was revoked since the ticket was taken.
    mutating func fill(_ digest: TokenDigest, with known: KnownCredential, until deadline: Instant, _ ticket: Ticket) {
        guard ticket.epoch == self.epoch else { return }
        self.insert(Entry(known: known, deadline: deadline), for: digest)
    }

    mutating func drop(_ tag: CredentialTag) {
        self.epoch += 1
        self.young.remove(tag)
        self.old.remove(tag)
    }

    mutating func dropAll() {
        self.epoch += 1
        self.young = Generation()
        self.old = Generation()
    }

    private mutating func insert(_ entry: Entry, for digest: TokenDigest) {
        if self.young.entries.count >= max(1, self.capacity / 2) {
            self.old = self.young
            self.young = Generation()
        }
        self.young.insert(entry, for: digest)
    }
}

/// Whether revocations are known to arrive: the listener has lately heard an echo of this process's own.
/// Notifications arrive in the order of their commits, so an echo proves that everything committed before it was sent has arrived too.
struct EchoProof {
    typealias Instant = ContinuousClock.Instant

    /// An older echo proves nothing about the present.
    static let trustedFor: Duration = .milliseconds(750)

    private var sentAt: Instant?

    mutating func heard(sentAt instant: Instant) { self.sentAt = max(self.sentAt ?? instant, instant) }

    mutating func forget() { self.sentAt = nil }

    func isFresh(at now: Instant) -> Bool { self.sentAt.map { now - $0 < Self.trustedFor } ?? false }
}

/// The gateway's memory of credentials. It answers only while revocations are known to arrive.
final class CredentialCache: Sendable {
    private struct State {
        var rules: CredentialCacheRules
        var proof = EchoProof()
    }

    private let state: Mutex<State>
    private let lifetime: Duration
    private let clock = ContinuousClock()

    init(capacity: Int, lifetime: Duration) {
        self.state = Mutex(State(rules: CredentialCacheRules(capacity: capacity)))
        self.lifetime = lifetime
    }

    func find(_ digest: TokenDigest) -> KnownCredential? {
        let now = self.clock.now
        return self.state.withLock { $0.proof.isFresh(at: now) ? $0.rules.find(digest, at: now) : nil }
    }

    func ticket() -> CredentialCacheRules.Ticket { self.state.withLock { $0.rules.ticket() } }

    /// - remaining: how long the credential itself lives; nil for no end.
    func fill(_ digest: TokenDigest, with known: KnownCredential, remaining: Duration?, _ ticket: CredentialCacheRules.Ticket) {
        let deadline = self.clock.now + min(self.lifetime, remaining ?? self.lifetime)
        self.state.withLock { $0.rules.fill(digest, with: known, until: deadline, ticket) }
    }

    func drop(_ tag: CredentialTag) { self.state.withLock { $0.rules.drop(tag) } }

    /// Notifications may have been missed.
    func dropAll() {
        self.state.withLock {
            $0.rules.dropAll()
            $0.proof.forget()
        }
    }

    func heardEcho(sentAt instant: ContinuousClock.Instant) { self.state.withLock { $0.proof.heard(sentAt: instant) } }

    var isTrusted: Bool {
        let now = self.clock.now
        return self.state.withLock { $0.proof.isFresh(at: now) }
    }
}
