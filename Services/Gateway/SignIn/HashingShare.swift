import Models
import Synchronization

/// How many passwords one network may have in the queue of this process: an anonymous loop must not fill it for everybody.
final class HashingShare: Sendable {
    static let limit = 4

    private let held = Mutex<[ClientNetwork: Int]>([:])

    /// - Throws: ``Problem`` of kind `tooManyAttempts`, and what `work` throws.
    func hold<Value>(_ network: ClientNetwork, _ work: () async throws -> Value) async throws -> Value {
        let isIn = self.held.withLock { held in
            guard held[network, default: 0] < Self.limit else { return false }
            held[network, default: 0] += 1
            return true
        }
        guard isIn else { throw AttemptStore.refusal(1) }
        defer {
            self.held.withLock { held in
                let rest = held[network, default: 1] - 1
                held[network] = rest > 0 ? rest : nil
            }
        }
        return try await work()
    }
}
