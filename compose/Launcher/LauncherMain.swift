import ArgumentParser

/// The local stack at the command line: what `make run`, `make up`, `make demo`, `make ledger` and the like start.
@main
struct LauncherMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "launcher",
        abstract: "Runs Switchboard on this machine.",
        subcommands: [
            RunCommand.self, UpCommand.self, DemoCommand.self, LedgerCommand.self, LedgerWebhooksCommand.self,
            ReplayWebhooksCommand.self, LimitsCommand.self, RevocationsCommand.self,
        ]
    )
}
