import ArgumentParser
import LocalStack

/// A replay while webhooks is killed, and the ledger of what was lost and sent again.
struct ReplayWebhooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay-webhooks",
        abstract: "Count the events that a replay loses or sends again when webhooks is killed amid it."
    )
    @OptionGroup var options: StackOptions
    @Option(help: "Events that the replay sends.")
    var events = 100_000

    func validate() throws {
        guard self.events > 0 else { throw ValidationError("--events must be at least 1") }
    }

    func run() async throws {
        let events = self.events
        let configure = { (settings: inout StackSettings) in
            settings.hasSandbox = false
            settings.extraEnvironment = WebhookReplayRun.environment
        }
        try await ScratchStack.run(self.options, name: "replay-webhooks", configure: configure) { stack in
            Screen.say("a replay of \(events) events, with webhooks killed twice")
            let replay = try await WebhookReplayRun(stack: stack, events: events, report: Screen.progress).run()
            Screen.say("\n\(replay.kills)\n\n\(replay.table)")
            if replay.isStalled { Screen.say("a replay did not move for a long time: it was given up") }
            return replay.isClean
        }
    }
}
