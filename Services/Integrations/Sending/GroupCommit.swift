import Synchronization

/// Joins concurrent small writes into one statement: whoever finds a place leads, takes what has gathered meanwhile, writes it all and
/// hands the lead to the first who came since. No timer: a lone write goes at once, a crowd shares commits.
final class GroupCommit<Item: Sendable, Answer: Sendable>: Sendable {
    private enum Turn: Sendable {
        case answered(Result<Answer, any Error>)
        case lead
    }

    private struct Waiter {
        let item: Item
        let continuation: CheckedContinuation<Turn, Never>
    }

    private struct State {
        var leaders = 0
        var waiting: [Waiter] = []
    }

    private let state = Mutex(State())
    private let maximumLeaders: Int
    private let maximumBatch: Int
    private let write: @Sendable ([Item]) async throws -> [Answer]

    /// - write: answers one for each item, in order.
    init(maximumLeaders: Int = 1, maximumBatch: Int = 500, write: @escaping @Sendable ([Item]) async throws -> [Answer]) {
        self.maximumLeaders = maximumLeaders
        self.maximumBatch = maximumBatch
        self.write = write
    }

    func submit(_ item: Item) async throws -> Answer {
        let turn = await withCheckedContinuation { continuation in
            let leads = self.state.withLock { state in
                if state.leaders < self.maximumLeaders {
                    state.leaders += 1
                    return true
                }
                state.waiting.append(Waiter(item: item, continuation: continuation))
                return false
            }
            if leads { continuation.resume(returning: .lead) }
        }
        switch turn {
        case .answered(let result): return try result.get()
        case .lead: return try await self.lead(item)
        }
    }

    private func lead(_ item: Item) async throws -> Answer {
        let followers = self.state.withLock { state in
            let batch = Array(state.waiting.prefix(self.maximumBatch - 1))
            state.waiting.removeFirst(batch.count)
            return batch
        }
        let result: Result<[Answer], any Error>
        do {
            let answers = try await self.write([item] + followers.map(\.item))
            result = answers.count == followers.count + 1 ? .success(answers) : .failure(GroupCommitMismatch())
        } catch {
            result = .failure(error)
        }
        for (index, follower) in followers.enumerated() {
            follower.continuation.resume(returning: .answered(result.map { $0[index + 1] }))
        }
        self.passLead()
        return try result.map { $0[0] }.get()
    }

    private func passLead() {
        // Its item is still its own: it leads the next batch with it.
        let next = self.state.withLock { state -> Waiter? in
            guard !state.waiting.isEmpty else {
                state.leaders -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.continuation.resume(returning: .lead)
    }
}

/// The write did not answer one for each item.
struct GroupCommitMismatch: Error {}
