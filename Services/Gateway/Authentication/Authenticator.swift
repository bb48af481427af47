import Database
import HTTPTypes
import Models
import NIOHTTP1

/// Finds out who asks.
struct Authenticator: Sendable {
    let cache: CredentialCache
    let store: CredentialStore
    /// Told of every request under a session.
    var sessionUses: SessionUses?

    /// nil where the request shows no credential.
    /// - Throws: ``Credential/refused``, alike for a mistyped, unknown, ended or revoked one; 503 while the database is away.
    func identify(_ fields: HTTPFields) async throws -> KnownCredential? {
        guard case .token(let text) = try Credential.read(fields) else { return nil }
        guard let kind = TokenFormat.kind(of: text), kind.authenticates else { throw Credential.refused }
        let known = try await self.known(try TokenDigest(text), kind)
        self.noteUse(of: known)
        return known
    }

    func noteUse(of known: KnownCredential) {
        if let session = known.session { self.sessionUses?.note(session) }
    }

    /// As ``identify(_:)`` where the answer is known without asking; nil everywhere else, also for what would be refused. The use is not noted.
    func remembered(_ headers: HTTPHeaders) -> KnownCredential? {
        guard case .token(let text)? = try? Credential.read(headers), TokenFormat.kind(of: text)?.authenticates == true,
            let digest = try? TokenDigest(text)
        else { return nil }
        return self.cache.find(digest)
    }

    private func known(_ digest: TokenDigest, _ kind: TokenFormat) async throws -> KnownCredential {
        if let known = self.cache.find(digest) { return known }

        let ticket = self.cache.ticket()
        let stored = try await whileDatabaseAnswers {
            kind.isKey ? try await self.store.key(digest) : try await self.store.session(digest)
        }
        guard let stored else { throw Credential.refused }
        self.cache.fill(digest, with: stored.known, remaining: stored.remaining, ticket)
        return stored.known
    }
}

/// The gateway fails closed: without its database nobody can be known and no unit can be granted.
func whileDatabaseAnswers<T>(_ work: () async throws -> T) async throws -> T {
    do {
        return try await work()
    } catch let error as DatabaseError where [.unavailable, .connectionLost, .timedOut].contains(error.kind) {
        throw Problem(.unavailable, "The gateway cannot reach its database.", retryAfter: 1)
    }
}
