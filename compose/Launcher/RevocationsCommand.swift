import ArgumentParser
import Foundation
import LocalStack
import Models

/// Revokes keys at one gateway and uses them at another.
struct RevocationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revocations",
        abstract: "Time from a revocation to the first refusal at another gateway."
    )
    @OptionGroup var options: StackOptions
    @Option(help: "Revocations over working connections.")
    var trials = 200
    @Option(help: "Revocations while packets of the listening connection are dropped (needs root and iptables).")
    var cuts = 20

    func run() async throws {
        let (trials, cuts) = (self.trials, self.cuts)
        let configure = { (settings: inout StackSettings) in
            settings.hasSandbox = false
            settings.extraEnvironment = [
                "MEMBER_RATE_LIMIT": "1000000", "ADDRESS_RATE_LIMIT": "1000000", "API_BURST_LIMIT_DEFAULT": "1000000",
            ]
        }
        try await ScratchStack.run(self.options, name: "revocations", configure: configure) { stack in
            let other = try await stack.launchReplica(of: .gateway, number: 2)
            let run = RevocationRun(stack: stack, other: other)
            let delays = try await PublicAPI.using(stack.settings.gatewayURL) { door in
                try await PublicAPI.using(other.url) { replica in
                    let member = try await door.registered(as: "Revocations")
                    var delays: (plain: [Duration], cut: [Duration]) = ([], [])
                    for _ in 0..<trials { delays.plain.append(try await run.trial(member, replica, isCut: false).delay) }
                    for _ in 0..<cuts {
                        delays.cut.append(try await run.trial(member, replica, isCut: true).delay)
                        // The next trial wants a working connection to cut.
                        try await Task.sleep(for: .seconds(3))
                    }
                    return delays
                }
            }
            await other.process.stop()
            return Self.report("working connections", delays.plain)
                && Self.report("packets of the listening connection dropped", delays.cut)
        }
    }

    private static func report(_ name: String, _ delays: [Duration]) -> Bool {
        guard let largest = delays.max() else { return true }
        let sorted = delays.sorted()
        func milliseconds(_ delay: Duration) -> String { (delay / .milliseconds(1)).formatted(.number.precision(.fractionLength(1))) }
        Screen.say(
            "\(name): \(delays.count) revocations, median \(milliseconds(sorted[sorted.count / 2])) ms, "
                + "p99 \(milliseconds(sorted[min(sorted.count - 1, sorted.count * 99 / 100)])) ms, largest \(milliseconds(largest)) ms"
        )
        return largest < .seconds(1)
    }
}
