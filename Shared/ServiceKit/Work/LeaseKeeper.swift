/// The claim was lost to another replica while its work went on: the work was cancelled, and nothing more may be written under it.
package struct LeaseLost: Error, Sendable {
    package init() {}
}

package enum LeaseKeeper {
    /// Renews a lease while the work runs.
    /// - interval: a third of the lease or less.
    /// - renew: the fenced UPDATE; false when its fence no longer matches.
    /// - Throws: ``LeaseLost`` when the fence is lost; what `work` or `renew` throws.
    package static func keep<Result: Sendable>(
        every interval: Duration,
        renew: @escaping @Sendable () async throws -> Bool,
        during work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask { try await work() }
            group.addTask {
                while true {
                    try await Task.sleep(for: interval)
                    guard try await renew() else { throw LeaseLost() }
                }
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }
}
