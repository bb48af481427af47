import Logging
import Models
import TestSupport
import Transport

@testable import Integrations

/// The catalogue as the process has it, with clients that are never used.
enum TestProviders {
    static let all: Providers = {
        let http = HTTPClient(.outside(guard: nil), logger: TestLog.quiet)
        return Providers([
            HubSpotProvider(client: HubSpotClient(baseURL: "http://127.0.0.1:9", http: http)),
            SendGridProvider(baseURL: "http://127.0.0.1:9", http: http, lanes: 4),
            SMTPProvider(
                client: SMTPClient(.init(guardRules: nil), logger: TestLog.quiet),
                lanes: 4,
                replyTimeout: .seconds(1),
                clientName: "test",
                guardRules: nil
            ),
        ])
    }()

    static func definition(_ key: String) -> ProviderDefinition {
        guard let provider = Self.all[key] else { preconditionFailure("\(key) is in the catalogue") }
        return provider.definition
    }
}
