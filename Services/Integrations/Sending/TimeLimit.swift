/// Cancels the body once the limit is over, and answers how it then ends: what became of a call only the call itself can tell.
func withCancellation<Value: Sendable>(
    after limit: Duration,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            do { try await Task.sleep(for: limit, clock: .continuous) } catch is CancellationError {}
            return nil
        }
        while let ended = try await group.next() {
            group.cancelAll()
            if let value = ended { return value }
        }
        throw CancellationError()
    }
}
