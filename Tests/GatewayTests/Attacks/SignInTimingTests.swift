import Database
import Encryption
import Foundation
import Models
import TestSupport
import Testing

@testable import Gateway

/// Whether the time of a failed sign-in tells that there is such an account.
@Suite struct SignInTimingTests {
    /// `make attack-timing` sets it: 400 passwords are hashed, which takes about a minute.
    private static let isAsked = ProcessInfo.processInfo.environment["ATTACK_TIMING"] != nil

    @Test(.enabled(if: Self.isAsked, "make attack-timing")) func timeDoesNotTellAccountsApart() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            let count = 200
            let known = (0..<count).map { "known\($0)@timing.example" }
            let unknown = (0..<count).map { "other\($0)@timing.example" }
            // One hash for all: what is measured is the check, not the making.
            let hash = try await PasswordHash.make(Secret("the password of them all"))
            try await gateway.database.runtime.write(
                """
                INSERT INTO users (email, name, password_hash)
                SELECT email, 'T', \(hash) FROM unnest(\(known)::text[]) AS email
                """
            )
            var p = 0.0
            // Of one in a hundred runs the p of equal times is below 0.01: such a one is repeated once.
            for round in 1...2 where p <= 0.01 {
                var times: [Bool: [Double]] = [true: [], false: []]
                let tries = zip(known, unknown).flatMap { [(true, $0), (false, $1)] }.shuffled()
                for (number, (isKnown, email)) in tries.enumerated() {
                    let address = "10.\(round).\(number / 250).\(number % 250 + 1)"
                    let start = ContinuousClock.now
                    let answer = try await gateway.login(email, "a wrong password \(number)", from: address)
                    times[isKnown]?.append((ContinuousClock.now - start) / .milliseconds(1))
                    #expect(answer.status == 401)
                }
                let test = RankTest(times[true] ?? [], times[false] ?? [])
                p = test.p
                print(
                    "sign-in of \(count) known and \(count) unknown accounts, round \(round): medians",
                    "\(RankTest.median(times[true] ?? [])) and \(RankTest.median(times[false] ?? [])) ms,",
                    "Mann-Whitney U \(test.u), z \(test.z), p \(p)"
                )
            }
            #expect(p > 0.01)
        }
    }

    /// Values of SciPy's `mannwhitneyu(x, y, method="asymptotic", use_continuity=True)`, worked out by hand from the definition.
    @Test func rankTestIsTheCommonOne() {
        let same = RankTest([1, 2, 3, 4], [1, 2, 3, 4])
        #expect(same.u == 8)
        #expect(same.p > 0.99)
        let apart = RankTest((0..<20).map(Double.init), (100..<120).map(Double.init))
        #expect(apart.u == 0)
        #expect(apart.p < 1e-6)
        // U = 2 of 16, mean 8, deviation √12: z = (2 − 8 + 0.5) / 3.4641 = −1.5877, two-sided p = 0.11235.
        let near = RankTest([1, 2, 3, 6], [4, 5, 7, 8])
        #expect(near.u == 2)
        #expect(abs(near.p - 0.11235) < 0.0005)
    }
}

/// The two-sided Mann-Whitney rank test: normal approximation with continuity and tie corrections.
struct RankTest {
    let u: Double
    let z: Double
    /// How likely ranks as unequal as these are where both samples come from one distribution.
    let p: Double

    init(_ first: [Double], _ second: [Double]) {
        let all = (first.map { ($0, true) } + second.map { ($0, false) }).sorted { $0.0 < $1.0 }
        let (n, m, total) = (Double(first.count), Double(second.count), Double(all.count))
        var (rankSum, ties, start) = (0.0, 0.0, 0)
        while start < all.count {
            var end = start
            while end < all.count, all[end].0 == all[start].0 { end += 1 }
            // Equal values share the mean of their ranks, which count from 1.
            let rank = Double(start + end + 1) / 2
            rankSum += rank * Double(all[start..<end].count { $0.1 })
            let equal = Double(end - start)
            ties += equal * equal * equal - equal
            start = end
        }
        self.u = rankSum - n * (n + 1) / 2
        let deviation = (n * m / 12 * (total + 1 - ties / (total * (total - 1)))).squareRoot()
        self.z = -max(0, abs(self.u - n * m / 2) - 0.5) / deviation
        self.p = min(1, erfc(-self.z / 2.0.squareRoot()))
    }

    static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}
