import ArgumentParser
import Foundation
import LocalStack

/// Fault after fault in the middle of a campaign, and the ledger of what each left behind.
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Count what is lost and doubled when processes are killed."
    )
    @OptionGroup var options: StackOptions
    @Option(help: "How many runs; the faults take turns.")
    var runs = 20
    @Option(help: "Contacts that each campaign goes to.")
    var contacts = 10_000

    func run() async throws {
        let root = try self.options.settings().root
        let binaries = try self.options.settings().binaries
        let directory = "/var/tmp/switchboard-ledger-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var settings = StackSettings.onFreePorts(root: root, runDirectory: directory, binaries: binaries)
        settings.contacts = self.contacts
        settings.extraEnvironment = FaultRun.environment
        let stack = Stack(settings)
        var table = TextTable(["run", "fault", "contacts", "at sink", "lost", "duplicated", "in doubt", "webhook", "seconds"])
        var isClean = true
        do {
            try await stack.start { Screen.say("  \($0)") }
            for number in 1...self.runs {
                let fault = Fault.allCases[(number - 1) % Fault.allCases.count]
                let start = ContinuousClock.now
                let summary = try await FaultRun(stack: stack, fault: fault, name: "run\(number)", freeze: .seconds(11)).run()
                let seconds = ((ContinuousClock.now - start) / .seconds(1)).formatted(.number.precision(.fractionLength(1)))
                let row = [
                    String(number), fault.rawValue, String(summary.contactsSynced), String(summary.messagesAtSink),
                    String(summary.missing.count), String(summary.duplicated.count), String(summary.inDoubt.count),
                    summary.isWebhookVerified ? "verified" : "NO", seconds,
                ]
                table.add(row)
                Screen.say(row.joined(separator: "  "))
                isClean = isClean && summary.isExact
            }
        } catch {
            await stack.stop()
            Screen.say("\n\(table)\n\nThe stack's folder is kept: \(directory)")
            throw error
        }
        await stack.stop()
        Screen.say("\n\(table)")
        guard isClean else {
            Screen.say("\nThe stack's folder is kept: \(directory)")
            throw ExitCode.failure
        }
        try? FileManager.default.removeItem(atPath: directory)
    }
}
