import Encryption
import Models
import Synchronization

/// Hashes and checks passwords, a bounded number at once: each takes memory and a core for a while, and anyone may ask for it.
final class PasswordDesk: Sendable {
    /// Waiting and working together; more are sent away.
    static let capacity = 32

    private let busy = Mutex(0)

    func hash(_ password: Secret) async throws -> String {
        try await self.admitted { try await PasswordHash.make(password) }
    }

    /// Takes equally long whether there is a hash to compare with or not.
    func check(_ password: Secret, against hash: String?) async throws -> PasswordHash.Check {
        try await self.admitted {
            guard let hash else {
                try await PasswordHash.checkNothing(password)
                return .wrong
            }
            return try await PasswordHash.check(password, against: hash)
        }
    }

    private func admitted<T>(_ work: () async throws -> T) async throws -> T {
        let isAdmitted = self.busy.withLock { busy in
            guard busy < Self.capacity else { return false }
            busy += 1
            return true
        }
        guard isAdmitted else { throw Problem(.unavailable, "Too many people are signing in at this moment.", retryAfter: 2) }
        defer { self.busy.withLock { $0 -= 1 } }
        return try await work()
    }
}
