import ArgumentParser
import Models
import ServiceKit

/// What an operator does at the gateway's command line.
enum OperatorCommands {
    static let all: [OperatorCommand] = [
        command("list-organizations", "list organizations with their tier", ListOrganizations.self),
        command("show-organization", "one organization with its tier, members and keys", ShowOrganization.self),
        command("set-tier", "set the tier of an organization: default or premium", SetTier.self),
        command("verify-audit", "check the chains of the audit log", VerifyAudit.self),
    ]

    /// The arguments of one command, parsed before anything else is done; `--help` prints them.
    private static func command<Arguments: OperatorArguments>(_ name: String, _ summary: String, _: Arguments.Type) -> OperatorCommand {
        OperatorCommand(name, summary) { texts in
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

protocol OperatorArguments: ParsableArguments, Sendable {
    func run(_ context: OperatorContext) async throws
}

extension ID: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension Tier: ExpressibleByArgument {}
