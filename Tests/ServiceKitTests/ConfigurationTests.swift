import Foundation
import Models
import ServiceKit
import Testing

@Suite struct ConfigurationTests {
    private struct Own: ServiceConfiguration {
        var limit: Int
        init(_ reader: SettingsReader) { self.limit = reader.integer("API_RATE_LIMIT_DEFAULT", default: 1000, in: 1...1_000_000) }
    }

    private static let whole = [
        "SWITCHBOARD_ENV": "production",
        "DATABASE_URL": "postgres://campaigns:pass@127.0.0.1:5432/switchboard",
        "PUBLIC_URL": "http://localhost:8080/",
        "GATEWAY_URLS": "http://127.0.0.1:8080",
        "INTEGRATIONS_URLS": "http://127.0.0.1:8081, http://127.0.0.1:9081",
        "WEBHOOKS_URLS": "http://127.0.0.1:8083",
        "INTERNAL_KEY_GATEWAY": String(repeating: "g", count: 32),
        "INTERNAL_KEY_INTEGRATIONS": String(repeating: "i", count: 32) + "," + String(repeating: "j", count: 32),
        "INTERNAL_KEY_WEBHOOKS": String(repeating: "w", count: 32),
        "ENCRYPTION_KEY": "q8Yx0mGZr1JtV5sLw2nBfKd7uHc4eTiPaRo9SgXyMzE=",
    ]

    private func faults(_ change: (inout [String: String]) -> Void) -> ConfigurationFaults? {
        var environment = Self.whole
        change(&environment)
        do {
            _ = try ServiceMain.configure(.campaigns, Own.self, SettingsReader(environment: environment))
            return nil
        } catch {
            return error as? ConfigurationFaults
        }
    }

    @Test func wholeEnvironmentIsRead() throws {
        let (house, own, _) = try ServiceMain.configure(.campaigns, Own.self, SettingsReader(environment: Self.whole))
        #expect(house.port == 8082)
        #expect(house.host == "0.0.0.0")
        #expect(house.publicURL == "http://localhost:8080")
        #expect(house.replicas[.integrations] == ["http://127.0.0.1:8081", "http://127.0.0.1:9081"])
        #expect(house.internalKeys[.integrations]?.count == 2)
        #expect(own.limit == 1000)
    }

    @Test func emptyEnvironmentNamesEveryMissingVariable() throws {
        let faults = try #require(self.faults { $0 = [:] })
        let names = Set(faults.faults.map(\.variable))
        #expect(
            names == [
                "DATABASE_URL", "PUBLIC_URL", "GATEWAY_URLS", "INTEGRATIONS_URLS", "WEBHOOKS_URLS", "INTERNAL_KEY_GATEWAY",
                "INTERNAL_KEY_INTEGRATIONS", "INTERNAL_KEY_WEBHOOKS", "ENCRYPTION_KEY",
            ]
        )
    }

    @Test(arguments: [
        ("SWITCHBOARD_ENV", "staging"), ("CAMPAIGNS_PORT", "abc"), ("CAMPAIGNS_PORT", "70000"), ("DATABASE_URL", "mysql://x"),
        ("PUBLIC_URL", "localhost"), ("GATEWAY_URLS", "http://127.0.0.1:8080/api"), ("INTERNAL_KEY_GATEWAY", "short"),
        ("ENCRYPTION_KEY", "short"), ("OUTBOUND_ALLOW", "nonsense"), ("TRUSTED_PROXIES", "10.0.0.0/99"), ("LOG_LEVEL", "loud"),
        ("DATABASE_WAIT_LIMIT", "soon"), ("API_RATE_LIMIT_DEFAULT", "many"),
    ])
    func malformedValueIsNamedAndNotDefaulted(name: String, value: String) throws {
        let faults = try #require(self.faults { $0[name] = value })
        #expect(faults.faults.map(\.variable) == [name])
    }

    @Test func noFaultShowsAValue() throws {
        let faults = try #require(
            self.faults {
                $0["INTERNAL_KEY_GATEWAY"] = "hunter2"; $0["DATABASE_URL"] = "hunter3"
            }
        )
        #expect(!faults.description.contains("hunter"))
        #expect(faults.description.contains("INTERNAL_KEY_GATEWAY"))
    }

    @Test func secretComesFromItsFile() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data("postgres://from-a-file/x\n".utf8).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        let reader = SettingsReader(environment: ["DATABASE_URL_FILE": path.path])
        #expect(reader.secret("DATABASE_URL").reveal() == "postgres://from-a-file/x")
        try reader.finish()
    }

    @Test func variableGivenTwiceAndMissingFileAreFaults() {
        let reader = SettingsReader(environment: ["A": "1", "A_FILE": "/x", "B_FILE": "/no/such/file"])
        _ = reader.secret("A")
        _ = reader.secret("B")
        let error = #expect(throws: ConfigurationFaults.self) { try reader.finish() }
        #expect(error?.faults.map(\.variable).contains("A") == true)
        #expect(error?.faults.map(\.variable).contains("B_FILE") == true)
    }

    @Test func everyVariableReadIsListedWithItsDefault() throws {
        let reader = SettingsReader(environment: Self.whole)
        _ = try ServiceMain.configure(.campaigns, Own.self, reader)
        let port = try #require(reader.variables.first { $0.name == "CAMPAIGNS_PORT" })
        #expect(port.defaultValue == "8082")
        #expect(reader.variables.first { $0.name == "ENCRYPTION_KEY" }?.isSecret == true)
        #expect(reader.variables.contains { $0.name == "API_RATE_LIMIT_DEFAULT" })
    }

    @Test(arguments: [
        (nil, "203.0.113.9"), ("198.51.100.1", "203.0.113.9"),
    ])
    func addressOfAStrangerIsTheSocket(forwarded: String?, expected: String) throws {
        let trusted = [try #require(AddressRange("10.0.0.0/8"))]
        #expect(ClientAddress.resolve(socket: "203.0.113.9", forwardedFor: forwarded, trusted: trusted) == expected)
    }

    @Test func addressBehindTrustedProxiesIsTheLastUntrustedHop() throws {
        let trusted = [try #require(AddressRange("10.0.0.0/8")), try #require(AddressRange("::1"))]
        let header = "1.1.1.1, 198.51.100.7, 10.2.3.4"
        #expect(ClientAddress.resolve(socket: "10.9.9.9", forwardedFor: header, trusted: trusted) == "198.51.100.7")
        #expect(ClientAddress.resolve(socket: "::1", forwardedFor: "garbage", trusted: trusted) == "::1")
    }
}
