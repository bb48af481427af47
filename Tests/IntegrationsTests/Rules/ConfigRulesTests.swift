import Models
import ServiceKit
import TestSupport
import Testing
import Transport

@testable import Integrations

@Suite struct ConfigRulesTests {
    private let smtp = TestProviders.definition("smtp")
    private let hubSpot = TestProviders.definition("hubspot")
    private let server: [String: JSONValue] = ["host": "mail.example.com", "port": 587, "security": "starttls"]

    private func pointers(_ input: [String: JSONValue], _ definition: ProviderDefinition, stored: StoredConfig = .init()) -> Set<String> {
        Set(ConfigRules.check(input, definition, stored: stored, at: "/config").faults.map(\.pointer))
    }

    @Test func everyFaultIsNamedAtOnce() {
        let input: [String: JSONValue] = ["host": "bad host", "port": 70000, "security": "ssl", "surprise/field": 1]
        #expect(self.pointers(input, self.smtp) == ["/config/host", "/config/port", "/config/security", "/config/surprise~1field"])
    }

    @Test func requiredFieldsAreAskedFor() {
        #expect(self.pointers([:], self.smtp) == ["/config/host", "/config/port", "/config/security"])
        #expect(self.pointers([:], self.hubSpot) == ["/config/access_token"])
        #expect(self.pointers(["access_token": nil], self.hubSpot) == ["/config/access_token"])
    }

    @Test func secretsAreKeptApart() {
        let checked = ConfigRules.check(["access_token": "pat-na1-secret"], self.hubSpot, at: "/config")
        #expect(checked.faults.isEmpty)
        #expect(checked.draft.plain.isEmpty)
        #expect(checked.draft.secrets["access_token"]?.reveal() == "pat-na1-secret")
    }

    @Test func userNameAndPasswordGoTogetherAndNeverInTheClear() {
        #expect(self.pointers(self.server.merging(["username": "u"]) { $1 }, self.smtp) == ["/config/password"])
        #expect(self.pointers(self.server.merging(["password": "p"]) { $1 }, self.smtp) == ["/config/username"])
        let clear = self.server.merging(["username": "u", "password": "p", "security": "none"]) { $1 }
        #expect(self.pointers(clear, self.smtp) == ["/config/security"])
        #expect(self.pointers(self.server.merging(["username": "u", "password": "p"]) { $1 }, self.smtp).isEmpty)
    }

    @Test func aStoredPasswordDoesNotFollowToAnotherServer() {
        let stored = StoredConfig(plain: self.server.merging(["username": "u"]) { $1 }, secrets: ["password"])
        #expect(self.pointers(["host": "evil.example.com"], self.smtp, stored: stored) == ["/config/password"])
        #expect(self.pointers(["host": "new.example.com", "password": "again"], self.smtp, stored: stored).isEmpty)
        #expect(self.pointers(["username": "u2"], self.smtp, stored: stored).isEmpty)
    }

    @Test func controlCharactersAreRefused() {
        #expect(self.pointers(self.server.merging(["username": "a\r\nBcc: b", "password": "p"]) { $1 }, self.smtp) == ["/config/username"])
    }

    @Test func aNullRemovesAnOptionalSecret() {
        let stored = StoredConfig(plain: self.server.merging(["username": "u"]) { $1 }, secrets: ["password"])
        let checked = ConfigRules.check(["username": nil, "password": nil], self.smtp, stored: stored, at: "/config")
        #expect(checked.faults.isEmpty)
        #expect(checked.draft.removedSecrets == ["password"])
        #expect(checked.draft.plain["username"] == nil)
    }

    @Test(arguments: [
        #"{"provider":"hubspot"}"#,
        #"{"provider":"hubspot","config":{"access_token":"pat-123456"},"config_data":"{}"}"#,
        #"{"provider":"hubspot","config_data":"[1]"}"#,
        #"{"provider":"nobody","config":{}}"#,
        #"{"provider":"hubspot","config":{"access_token":"pat-123456"},"surprise":true}"#,
        #"{"provider":"smtp","config":{"host":"a.b","port":25,"security":"none"},"sync_interval":600}"#,
        #"{"provider":"hubspot","config":{"access_token":"pat-123456"},"sync_interval":5}"#,
    ])
    func aFaultyIntegrationIsRefused(_ body: String) throws {
        let json = try JSONValue(parsing: body.utf8)
        #expect(throws: Problem.self) { try NewIntegration(json, providers: TestProviders.all, defaultInterval: 900) }
    }

    @Test func configMayComeAsText() throws {
        let json: JSONValue = ["provider": "hubspot", "config_data": #"{"access_token":"pat-123456"}"#]
        let new = try NewIntegration(json, providers: TestProviders.all, defaultInterval: 900)
        #expect(new.draft.secrets["access_token"]?.reveal() == "pat-123456")
        #expect(new.name == "HubSpot")
        #expect(new.syncInterval == 900)
    }

    @Test(arguments: ["169.254.169.254", "10.0.0.1", "0", "localhost", "[::1]"]) func aHostThatIsNeverReachedIsRefusedWhenItIsGiven(
        host: String
    ) throws {
        let provider = SMTPProvider(
            client: SMTPClient(.init(guardRules: nil), logger: TestLog.quiet),
            lanes: 1,
            replyTimeout: .seconds(1),
            clientName: "test",
            guardRules: try OutboundGuard(allow: "")
        )
        let input: [String: JSONValue] = ["host": .string(host), "port": 587, "security": "starttls"]
        #expect(ConfigRules.check(input, provider.definition, at: "/config").faults.map(\.pointer) == ["/config/host"])
    }
}
