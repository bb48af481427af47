import ArgumentParser
import Foundation
import LocalStack

/// Events to targets that misbehave, while webhooks is killed and Postgres restarted, and the ledger of what was lost and doubled.
struct LedgerWebhooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger-webhooks",
        abstract: "Count the events that are lost and doubled on their way to subscribers when webhooks is killed."
    )
    @OptionGroup var options: StackOptions
    @Option(help: "Events, each for one endpoint.")
    var events = 200_000
    @Option(help: "Endpoints, each with a subscription.")
    var endpoints = 50
    @Option(help: "Times that webhooks is killed with SIGKILL.")
    var kills = 20
    @Option(help: "Restarts of Postgres; fast and immediate ones take turns.")
    var restarts = 3
    @Option(help: "Decides what the receiver does and when something is killed.")
    var seed: UInt64 = 1

    func validate() throws {
        guard (1...WebhookLedgerRun.mostEndpoints).contains(self.endpoints) else {
            throw ValidationError("--endpoints takes 1 to \(WebhookLedgerRun.mostEndpoints)")
        }
        guard self.events > 0, self.kills >= 0, self.restarts >= 0 else { throw ValidationError("the numbers must not be negative") }
    }

    func run() async throws {
        let command = self
        let configure = { (settings: inout StackSettings) in
            settings.hasSandbox = false
            settings.extraEnvironment = WebhookLedgerRun.environment
        }
        try await ScratchStack.run(self.options, name: "ledger-webhooks", configure: configure) { stack in
            Screen.say(
                "\(command.events) events to \(command.endpoints) endpoints; \(command.kills) kills, \(command.restarts) restarts of Postgres; "
                    + "seed \(command.seed)"
            )
            let ledger = try await WebhookLedgerRun(
                stack: stack,
                events: command.events,
                endpoints: command.endpoints,
                kills: command.kills,
                restarts: command.restarts,
                seed: command.seed,
                report: Screen.progress
            ).run()
            Screen.say("\n\(ledger.faults)\n\n\(ledger.conducts)\n\n\(ledger.table)")
            for story in ledger.stories { Screen.say(story) }
            if ledger.isStalled { Screen.say("nothing was settled for a long time: the run was given up") }
            return ledger.isClean
        }
    }
}
