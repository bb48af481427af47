import ArgumentParser
import Models
import ServiceKit

/// What an operator does at the gateway's command line.
enum OperatorCommands {
    static let all: [OperatorCommand] = [
        command(ListOrganizations.self), command(ShowOrganization.self), command(SetTier.self), command(VerifyAudit.self),
    ]

    /// The arguments of one command, parsed before anything else is done; `--help` prints them.
    private static func command<Arguments: OperatorArguments>(_: Arguments.Type) -> OperatorCommand {
        OperatorCommand(Arguments.configuration.commandName ?? "", Arguments.configuration.abstract) { texts in
            let arguments: Arguments
            do {
                arguments = try Arguments.parse(texts)
            } catch {
                throw OperatorFailure(Arguments.fullMessage(for: error))
            }
            return { context in try await arguments.run(context) }
        }
    }
}

/// Its configuration holds its name and the line for the list of commands.
protocol OperatorArguments: ParsableCommand, Sendable {
    func run(_ context: OperatorContext) async throws
}

extension ID: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension Tier: ExpressibleByArgument {}
