import ArgumentParser
import Foundation
import Hummingbird
import Logging

/// Stands in for the providers: HubSpot and SendGrid at their own paths, a webhook receiver, and switches for faults under `/_sandbox`.
@main
struct SandboxMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "sandbox", abstract: "Stand-ins for HubSpot and SendGrid.")

    @Option(help: "Port to listen on, 0 for any free one (SANDBOX_PORT, 8090).")
    var port: Int?

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "Seed of the generated contacts (SANDBOX_SEED, 1).")
    var seed: UInt64?

    @Option(help: "Contacts in the HubSpot account (SANDBOX_CONTACTS, 10000).")
    var contacts: Int?

    @Option(help: "A private-app token that HubSpot accepts; may be given several times.")
    var hubspotToken: [String] = ["pat-na1-sandbox-demo-token"]

    @Option(help: "An API key that SendGrid accepts; may be given several times.")
    var sendgridKey: [String] = ["SG.sandbox-demo-key"]

    func validate() throws {
        guard try (0...65_535).contains(self.number(self.port, "SANDBOX_PORT", 8090)) else {
            throw ValidationError("The port is out of range.")
        }
        guard try (0...10_000_000).contains(self.number(self.contacts, "SANDBOX_CONTACTS", 10_000)) else {
            throw ValidationError("There can be 0 to 10000000 contacts.")
        }
    }

    func run() async throws {
        var logger = Logger(label: "sandbox")
        logger.logLevel = .notice
        let seed = try self.number(self.seed, "SANDBOX_SEED", 1)
        let contacts = try self.number(self.contacts, "SANDBOX_CONTACTS", 10_000)
        let sandbox = Sandbox(seed: seed, contacts: contacts, hubSpotTokens: Set(self.hubspotToken), sendGridKeys: Set(self.sendgridKey))
        let port = try self.number(self.port, "SANDBOX_PORT", 8090)
        try await sandbox.application(host: self.host, port: port, logger: logger).runService()
    }

    /// The option, else the variable, else the default.
    private func number<Value: FixedWidthInteger>(_ option: Value?, _ variable: String, _ standard: Value) throws -> Value {
        if let option { return option }
        guard let text = ProcessInfo.processInfo.environment[variable] else { return standard }
        guard let value = Value(text) else { throw ValidationError("\(variable) is not a number.") }
        return value
    }
}
