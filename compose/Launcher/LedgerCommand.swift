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
        let ledger = Ledger()
        let (runs, contacts) = (self.runs, self.contacts)
        let configure = { (settings: inout StackSettings) in
            settings.contacts = contacts
            settings.extraEnvironment = FaultRun.environment
        }
        do {
            try await ScratchStack.run(self.options, name: "ledger", configure: configure) { stack in
                for number in 1...runs { try await Self.strike(stack, number, ledger) }
                return ledger.isClean && ledger.count == runs
            }
        } catch {
            Screen.say("\n\(ledger.text)")
            throw error
        }
        Screen.say("\n\(ledger.text)")
    }

    private static func strike(_ stack: Stack, _ number: Int, _ ledger: Ledger) async throws {
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
