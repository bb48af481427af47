import Synchronization

/// Gathers what many tasks want written at about the same moment and writes it together: one statement and one commit for all of them.
///
/// Nothing waits for a batch to fill. What comes while all writers are busy makes up the next one, so batches grow with the load.
package final class Batcher<Item: Sendable, Result: Sendable>: Sendable {
    private struct Entry {
        var item: Item
        var answer: CheckedContinuation<Result, any Error>
    }

    private struct State {
        var waiting: [Entry] = []
        var writers = 0
    }

    private let limit: Int
    private let writers: Int
    private let write: @Sendable ([Item]) async throws -> [Result]
    private let state = Mutex(State())

    /// - limit: items in one batch at most.
    /// - writers: batches that may be under way at once.
    /// - write: answers one result for each item, in their order; what it throws every item of the batch gets.
    package init(limit: Int, writers: Int, write: @escaping @Sendable ([Item]) async throws -> [Result]) {
        self.limit = max(1, limit)
        self.writers = max(1, writers)
        self.write = write
    }

    /// Cancelling the caller does not withdraw the item: others stand in the same batch.
    package func submit(_ item: Item) async throws -> Result {
        try await withCheckedThrowingContinuation { answer in
            let startsWriter = self.state.withLock { state in
                state.waiting.append(Entry(item: item, answer: answer))
                guard state.writers < self.writers else { return false }
                state.writers += 1
                return true
            }
            // Not a child of the caller: a batch must not end with the task that happened to come first.
            if startsWriter { Task.detached { await self.drain() } }
        }
    }

    private func drain() async {
        while let batch = self.nextBatch() {
            do {
                let results = try await self.write(batch.map(\.item))
                precondition(results.count == batch.count, "a batch is answered item by item")
                for (entry, result) in zip(batch, results) { entry.answer.resume(returning: result) }
            } catch {
                for entry in batch { entry.answer.resume(throwing: error) }
            }
        }
    }

    /// nil when nothing waits: the writer is gone then.
    private func nextBatch() -> [Entry]? {
        self.state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.writers -= 1
                return nil
            }
            let batch = Array(state.waiting.prefix(self.limit))
            state.waiting.removeFirst(batch.count)
            return batch
        }
    }
}
