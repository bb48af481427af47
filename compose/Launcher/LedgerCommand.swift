import ArgumentParser
import Foundation
import LocalStack
import Synchronization

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

    /// What the runs have told so far; it is shown however they end.
    private final class Ledger: Sendable {
        private let table = Mutex(
            TextTable(["run", "fault", "contacts", "at sink", "lost", "duplicated", "in doubt", "webhook", "seconds"])
        )
        private let verdicts = Mutex<[Bool]>([])

        var text: String { self.table.withLock(\.description) }
        var count: Int { self.verdicts.withLock(\.count) }
        var isClean: Bool { self.verdicts.withLock { $0.allSatisfy(\.self) } }

        func add(_ row: [String], isExact: Bool) {
            self.table.withLock { $0.add(row) }
            self.verdicts.withLock { $0.append(isExact) }
        }
    }

    func run() async throws {
        let root = try self.options.settings().root
        let binaries = try self.options.settings().binaries
        let directory = "\(Self.home)/\(Self.prefix)\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var settings = StackSettings.onFreePorts(root: root, runDirectory: directory, binaries: binaries)
        settings.contacts = self.contacts
        settings.extraEnvironment = FaultRun.environment
        try await Self.endAbandoned(like: settings)
        let stack = Stack(settings)
        let ledger = Ledger()
        do {
            try await StaysUp.stopping(stack) {
                try await stack.start { Screen.say("  \($0)") }
                for number in 1...self.runs { try await self.strike(stack, number, ledger) }
            }
        } catch {
            Screen.say("\n\(ledger.text)\n\nThe stack's folder is kept: \(directory)")
            throw error
        }
        Screen.say("\n\(ledger.text)")
        guard ledger.isClean, ledger.count == self.runs else {
            Screen.say("\nThe stack's folder is kept: \(directory)")
            throw ExitCode.failure
        }
        try? FileManager.default.removeItem(atPath: directory)
    }

    private static let home = "/var/tmp"
    private static let prefix = "switchboard-ledger-"

    /// Every ledger has a folder of its own, so what a killed one left is found by no later start of the same stack.
    private static func endAbandoned(like settings: StackSettings) async throws {
        for folder in try FileManager.default.contentsOfDirectory(atPath: self.home) where folder.hasPrefix(self.prefix) {
            var old = settings
            old.runDirectory = "\(self.home)/\(folder)"
            try await Stack(old).endAbandoned()
        }
    }

    private func strike(_ stack: Stack, _ number: Int, _ ledger: Ledger) async throws {
        let fault = Fault.allCases[(number - 1) % Fault.allCases.count]
        let start = ContinuousClock.now
        let summary = try await FaultRun(stack: stack, fault: fault, name: "run\(number)", freeze: .seconds(11)).run()
        let seconds = ((ContinuousClock.now - start) / .seconds(1)).formatted(.number.precision(.fractionLength(1)))
        let row = [
            String(number), fault.rawValue, String(summary.contactsSynced), String(summary.messagesAtSink),
            String(summary.missing.count), String(summary.duplicated.count), String(summary.inDoubt.count),
            summary.isWebhookVerified ? "verified" : "NO", seconds,
        ]
        ledger.add(row, isExact: summary.isExact)
        Screen.say(row.joined(separator: "  "))
    }
}
