/// Ways to count how often something is done in a second.
enum Throughput {
    static let duration = Duration.seconds(3)
    private static let warmUp = Duration.milliseconds(300)

    /// Callers that each wait for one call before they make the next. The first moments, in which connections are made, are not counted.
    static func concurrent(callers: Int, _ call: @escaping @Sendable (inout Dice) async throws -> Void) async throws -> Double {
        _ = try await self.run(callers: callers, for: self.warmUp, call)
        return try await self.run(callers: callers, for: self.duration, call)
    }

    private static func run(
        callers: Int,
        for duration: Duration,
        _ call: @escaping @Sendable (inout Dice) async throws -> Void
    ) async throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for caller in 0..<callers {
                group.addTask {
                    var dice = Dice(seed: UInt64(caller + 1))
                    var count = 0
                    while clock.now - start < duration {
                        try await call(&dice)
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(count) / (clock.now - start).seconds
    }

    /// One thread in a loop for a second; the clock is read once in 64 turns.
    static func loop(_ turn: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        for _ in 0..<64 { try turn() }
        let start = clock.now
        var count = 0
        while clock.now - start < .seconds(1) {
            for _ in 0..<64 { try turn() }
            count += 64
        }
        return Double(count) / (clock.now - start).seconds
    }
}

/// xorshift64*: picks rows without asking the kernel.
struct Dice: Sendable {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next(upTo limit: Int) -> Int {
        self.state ^= self.state >> 12
        self.state ^= self.state << 25
        self.state ^= self.state >> 27
        return Int((self.state &* 0x2545_F491_4F6C_DD1D) >> 33) % limit + 1
    }
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = self.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
