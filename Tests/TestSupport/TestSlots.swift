/// Lets so many test databases be open at once: a parallel run would otherwise ask the cluster for more connections than it has.
actor TestSlots {
    static let shared = TestSlots(12)

    /// A test that already has a database gets its others at once: waiting while holding could wait for ever.
    @TaskLocal private static var isHolding = false

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { self.free = count }

    nonisolated func hold<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        if Self.isHolding { return try await body() }
        await self.enter()
        let result: Result<T, any Error>
        do {
            result = .success(try await Self.$isHolding.withValue(true) { try await body() })
        } catch {
            result = .failure(error)
        }
        await self.leave()
        return try result.get()
    }

    private func enter() async {
        if self.free > 0 {
            self.free -= 1
        } else {
            await withCheckedContinuation { self.waiting.append($0) }
        }
    }

    private func leave() {
        if self.waiting.isEmpty { self.free += 1 } else { self.waiting.removeFirst().resume() }
    }
}
