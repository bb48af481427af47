import ArgumentParser
import Foundation
import LocalStack

/// Three gateways, sixteen keys, sixty-four clients, thirty seconds, one gateway killed: what was admitted, and what the headers said. Then what each
/// policy does without Postgres.
struct LimitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "limits", abstract: "Count what three gateways admit against the limits.")
    @OptionGroup var options: StackOptions

    func run() async throws {
        let configure = { (settings: inout StackSettings) in
            settings.hasSandbox = false
            settings.extraEnvironment = LimitRun.environment
        }
        try await ScratchStack.run(self.options, name: "limits", configure: configure) { stack in
            let run = LimitRun(stack: stack)
            Screen.say("\(run.clients) clients, \(run.keys) keys, \(run.replicas) gateways, \(run.seconds) s; one is killed in the middle")
            let (log, whole) = try await run.run()
            let isWithin = Self.report(log, whole, run)
            Screen.say("\nPostgres is stopped")
            let (findings, recovery) = try await AwayRun(stack: stack).run()
            return Self.report(findings, recovery) && isWithin
        }
    }

    private static func report(_ findings: [AwayRun.Finding], _ recovery: Double) -> Bool {
        var table = TextTable(["policy", "says", "situation", "asked with", "answered", "as it says"])
        for finding in findings {
            let answered = finding.answered.sorted { $0.key < $1.key }.map { "\($0.value) x \($0.key)" }.joined(separator: ", ")
            let says = AwayRun.says[finding.policy]?.rawValue ?? "-"
            table.add([finding.policy, says, finding.situation, finding.asked, answered, finding.isAsSaid ? "yes" : "NO"])
        }
        Screen.say("\n\(table)\n\nboth gateways served the key again \(Self.decimal(recovery)) s after the start of Postgres")
        return findings.allSatisfy(\.isAsSaid)
    }

    /// Units that replicas may hold at one moment: a hundredth of the limit each, and what their waiting requests asked for.
    private static func outstanding(_ limit: Int, _ run: LimitRun) -> Int { run.replicas * (limit / 100 + run.clients / run.keys) }

    private static func report(_ log: LimitLog, _ whole: Set<Int>, _ run: LimitRun) -> Bool {
        var table = TextTable([
            "policy", "window", "keys", "limit", "admitted", "over", "unused %", "worst key %", "told too high", "too low", "held at most",
        ])
        let findings = log.findings()
        var isWell = true
        for group in Dictionary(grouping: findings, by: { "\($0.window.policy) \($0.window.end)" }).values.sorted(by: {
            Self.order($0) < Self.order($1)
        }) {
            let window = group[0].window
            let limit = log.policies[window.policy]?.limit ?? 0
            let over = group.map { max(0, $0.admitted - limit) }.reduce(0, +)
            let isWanted = window.policy == "hour" || whole.contains(window.end) && group.allSatisfy { $0.exhausted > 0 }
            let unused = group.map { Double(limit - $0.admitted) / Double(limit) * 100 }
            let tooHigh = group.map(\.tooHigh).max() ?? 0
            let tooLow = group.map(\.tooLow).max() ?? 0
            let held = Self.outstanding(limit, run)
            let mean = unused.reduce(0, +) / Double(unused.count)
            let worst = unused.max() ?? 0
            isWell = isWell && over == 0 && tooHigh <= 0 && tooLow <= held && (!isWanted || worst <= 5 + Double(held) / Double(limit) * 100)
            table.add([
                window.policy, "ends \(window.end % 3600)", String(group.count), String(limit), String(group.map(\.admitted).reduce(0, +)),
                String(over),
                isWanted ? Self.decimal(mean) : "-", isWanted ? Self.decimal(worst) : "-", String(max(0, tooHigh)), String(max(0, tooLow)),
                String(held),
            ])
        }
        Screen.say("\n\(table)\n\n\(log.observations.count) answers, \(log.observations.count { $0.isAdmitted }) of them admitted")
        return isWell
    }

    private static func order(_ group: [LimitLog.Finding]) -> String { "\(group[0].window.policy) \(group[0].window.end)" }
    private static func decimal(_ number: Double) -> String { number.formatted(.number.precision(.fractionLength(2))) }
}
