import ArgumentParser
import Database
import Models
import ServiceKit

struct ListOrganizations: OperatorArguments {
    static let configuration = CommandConfiguration(commandName: "list-organizations", abstract: "list organizations with their tier")

    @Option(help: "Only organizations whose id lies behind this one.")
    var after: OrganizationID?

    @Option(help: "At most so many.")
    var limit = 100

    func validate() throws {
        guard (1...10_000).contains(self.limit) else { throw ValidationError("The limit is a number from 1 to 10000.") }
    }

    func run(_ context: OperatorContext) async throws {
        let found = try await OperatorStore(database: context.database).list(after: self.after, limit: self.limit)
        context.print("id\ttier\tmembers\tlive keys\tcreated\tname")
        for organization in found { context.print(organization.line) }
    }
}

struct ShowOrganization: OperatorArguments {
    static let configuration = CommandConfiguration(
        commandName: "show-organization",
        abstract: "one organization with its tier, members and keys"
    )

    @Option(help: "The organization's id.")
    var organization: OrganizationID

    func run(_ context: OperatorContext) async throws {
        guard let found = try await OperatorStore(database: context.database).find(self.organization) else {
            throw OperatorFailure("There is no organization \(self.organization).")
        }
        context.print("id\ttier\tmembers\tlive keys\tcreated\tname")
        context.print(found.line)
    }
}

struct SetTier: OperatorArguments {
    static let configuration = CommandConfiguration(
        commandName: "set-tier",
        abstract: "set the tier of an organization: default or premium"
    )

    @Option(help: "The organization's id.")
    var organization: OrganizationID

    @Option(help: "default or premium.")
    var tier: Tier

    func run(_ context: OperatorContext) async throws {
        let audit = AuditStore(database: context.database, chain: try AuditChain(context.keyRing))
        let (id, tier) = (self.organization, self.tier)
        let change = try await context.database.transaction { transaction in
            try OperatorStore.setTier(of: id, to: tier, audit, transaction)
        }
        guard let change else { throw OperatorFailure("There is no organization \(id).") }
        if change.before == tier {
            context.print("Organization \(id) (\(change.name)) has the tier \(tier.rawValue) already.")
        } else {
            context.print(
                "Organization \(id) (\(change.name)): \(change.before.rawValue) -> \(tier.rawValue), in every replica from now on."
            )
        }
    }
}
