import Foundation
import Models
import Synchronization
import Testing

@testable import Encryption

@Suite struct PasswordHashTests {
    static let cheap = Scrypt.Parameters(logCost: 4, blockSize: 8, parallelism: 1)

    @Test func rightPasswordIsRightAndWrongIsWrong() async throws {
        let hash = try await PasswordHash.make(Secret("correct horse"))
        #expect(hash.hasPrefix("$scrypt$ln=13,r=8,p=10$"))
        #expect(try await PasswordHash.check(Secret("correct horse"), against: hash) == .right)
        #expect(try await PasswordHash.check(Secret("correct horsf"), against: hash) == .wrong)
    }

    @Test func sameHashTwiceHasDifferentSalts() async throws {
        let first = try await PasswordHash.make(Secret("x"), Self.cheap)
        let second = try await PasswordHash.make(Secret("x"), Self.cheap)
        #expect(first != second)
    }

    @Test func outdatedParametersAskForANewHash() async throws {
        let hash = try await PasswordHash.make(Secret("x"), Self.cheap)
        #expect(try await PasswordHash.check(Secret("x"), against: hash) == .rightButOutdated)
        #expect(try await PasswordHash.check(Secret("y"), against: hash) == .wrong)
    }

    /// Python: hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChloride", n=16384, r=8, p=1, dklen=32).
    @Test func hashesOfOthersAreRead() async throws {
        let hash = "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI"
        #expect(try await PasswordHash.check(Secret("pleaseletmein"), against: hash) == .rightButOutdated)
    }

    /// Python: hashlib.scrypt(b"correct horse", salt=b"0123456789abcdef", n=1 << 17, r=8, p=1, maxmem=1 << 28, dklen=32).
    @Test func hashesOfEarlierVersionsAreRight() async throws {
        let hash = "$scrypt$ln=17,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$qmsmTgUhkUXenuO+Y1xpJkI2GSSNU/vhYpQLl8F2aYM"
        #expect(try await PasswordHash.check(Secret("correct horse"), against: hash) == .rightButOutdated)
        #expect(try await PasswordHash.check(Secret("correct horsf"), against: hash) == .wrong)
    }

    /// Resident memory, in MiB.
    private static func residentMemory() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) >> 20
    }

    @Test func memoryIsGivenBackAfterEachCheck() async throws {
        let hash = try await PasswordHash.make(Secret("x"))
        let before = try Self.residentMemory()
        for _ in 0..<8 {
            async let one = PasswordHash.check(Secret("x"), against: hash)
            async let other = PasswordHash.check(Secret("y"), against: hash)
            _ = try await (one, other)
        }
        // Two kept tables would be 32 MiB; other tests of this process take a little of their own.
        #expect(try Self.residentMemory() - before < 16)
    }

    @Test func composedAndDecomposedLettersAreTheSamePassword() async throws {
        let hash = try await PasswordHash.make(Secret("caf\u{E9}"), Self.cheap)
        #expect(try await PasswordHash.check(Secret("cafe\u{301}"), against: hash) == .rightButOutdated)
        #expect(try await PasswordHash.check(Secret("cafe"), against: hash) == .wrong)
    }

    @Test(arguments: [
        "", "$", "plain", "$2b$10$abcdefghijklmnopqrstuv",
        "$scrypt$ln=4,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA", "$scrypt$ln=4,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$",
        "$scrypt$ln=4,r=8,p=1$$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=04,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=-4,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=0$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=20,r=32,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAB$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAA==",
        "$scrypt$ln=4,r=8,p=1$AAAAAAAAAAAAAAAAAAAAA!$AAAAAAAAAAAAAAAAAAAAAA",
    ])
    func malformedHashesAreRefused(hash: String) async throws {
        let error = await #expect(throws: EncryptionError.self) { try await PasswordHash.check(Secret("x"), against: hash) }
        #expect(error?.kind == .malformed)
    }

    @Test func nothingTakesAsLongAsACheck() async throws {
        let hash = try await PasswordHash.make(Secret("x"))
        let clock = ContinuousClock()
        // The quietest of some runs, and a wide margin: other tests share the machine. Skipping the work would be a thousand times quicker.
        var (real, nothing) = (Duration.seconds(1000), Duration.seconds(1000))
        for _ in 0..<3 {
            real = min(real, try await clock.measure { _ = try await PasswordHash.check(Secret("y"), against: hash) })
            nothing = min(nothing, try await clock.measure { try await PasswordHash.checkNothing(Secret("y")) })
        }
        #expect(nothing > real / 4 && nothing < real * 4, "real \(real), nothing \(nothing)")
    }

    // MARK: - Threads

    /// How many jobs run at once, and the most that ever did.
    private final class Gauge: Sendable {
        private let counts = Mutex((running: 0, most: 0, finished: 0))

        func enter() { self.counts.withLock { $0 = ($0.running + 1, max($0.most, $0.running + 1), $0.finished) } }
        func leave() { self.counts.withLock { $0 = ($0.running - 1, $0.most, $0.finished + 1) } }
        var most: Int { self.counts.withLock { $0.most } }
        var finished: Int { self.counts.withLock { $0.finished } }
    }

    @Test func noMoreJobsRunAtOnceThanThereAreThreads() async throws {
        let threads = HashingThreads(threads: 2, waiting: 100)
        let gauge = Gauge()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<40 {
                group.addTask {
                    try await threads.run {
                        gauge.enter()
                        _ = try Scrypt.derive([], salt: [], Self.cheap, length: 32)
                        gauge.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(gauge.finished == 40)
        #expect(gauge.most <= 2)
    }

    @Test func tooManyWaitersAreTurnedAway() async throws {
        let threads = HashingThreads(threads: 1, waiting: 0)
        let problem = await #expect(throws: Problem.self) { try await threads.run {} }
        #expect(problem?.kind == .unavailable)
        #expect(problem?.retryAfter == 5)
    }

    @Test func cancelledWaiterDoesNoWork() async throws {
        let threads = HashingThreads(threads: 1, waiting: 10)
        let gauge = Gauge()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await threads.run { gauge.enter() }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(gauge.most == 0)
    }
}
