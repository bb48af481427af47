import Foundation
import HTTPTypes
import Hummingbird
import Models
import ServiceKit
import Testing

@testable import Gateway

@Suite struct CORSTests {
    private static let policy = CORSPolicy(origins: ["https://app.example.com"])

    @Test(arguments: ["https://app.example.com", "http://localhost:3000", "https://app.example.com:8443"])
    func originsAreTakenAsBrowsersSendThem(_ text: String) {
        #expect(CORSPolicy.isOrigin(text))
    }

    @Test(arguments: [
        "*", "null", "app.example.com", "https://app.example.com/", "https://app.example.com:443", "https://App.example.com", "ftp://a",
        "https://u@app.example.com", "https://*.example.com", "https://", "https://a?b",
    ]) func otherSpellingsAreFaults(_ text: String) throws {
        let reader = SettingsReader(environment: ["CORS_ORIGINS": "https://fine.example.com, \(text)"])
        _ = CORSPolicy(reader)
        #expect(throws: ConfigurationFaults.self) { try reader.finish() }
    }

    @Test func withoutOriginsThereIsNoPolicy() throws {
        let reader = SettingsReader(environment: ["CORS_ORIGINS": " , "])
        #expect(CORSPolicy(reader) == nil)
        try reader.finish()
    }

    @Test func onlyListedOriginsAreAllowed() {
        let own = "https://app.example.com"
        #expect(Self.policy.fields(for: own).contains { $0 == .accessControlAllowOrigin && $1 == own })
        for other in [nil, "null", "https://app.example.com.evil.example", "https://evil.example", "HTTPS://APP.EXAMPLE.COM"] {
            #expect(Self.policy.fields(for: other).map(\.0) == [.vary])
        }
        #expect(Self.policy.preflight(for: "https://evil.example", knowing: [.get])[.accessControlAllowMethods] == nil)
        #expect(Self.policy.preflight(for: own, knowing: [.get, .post])[.accessControlAllowMethods] == "GET, POST, HEAD")
    }

    private func preflight(_ gateway: TestGateway, _ path: String, _ origin: String = "https://app.example.com") async throws
        -> TestDoor.Answer
    {
        let headers = [
            ("Origin", origin), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,content-type"),
        ]
        return try await gateway.door.send("OPTIONS", path, headers: headers)
    }

    @Test func pagesOfAListedOriginMayCall() async throws {
        let upstream = FakeUpstream { _ in Response(status: .ok, headers: [.vary: "Accept", .accessControlAllowOrigin: "*"]) }
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url, variables: ["CORS_ORIGINS": "https://app.example.com"])) { gateway in
                let member = try await gateway.register()
                for (path, methods) in [("/api/v1/campaigns?x=1", "GET, POST, HEAD"), ("/api/v1/campaigns/5", "GET, PATCH, HEAD")] {
                    let answer = try await self.preflight(gateway, path)
                    #expect(answer.status == 204)
                    #expect(answer.header("Access-Control-Allow-Origin") == "https://app.example.com")
                    let allowed = Set(answer.header("Access-Control-Allow-Methods")?.components(separatedBy: ", ") ?? [])
                    #expect(allowed.isSuperset(of: methods.components(separatedBy: ", ")))
                    #expect(answer.header("Access-Control-Allow-Headers")?.contains("Idempotency-Key") == true)
                    #expect(answer.header("Access-Control-Max-Age") == "600")
                    #expect(answer.header("Access-Control-Allow-Credentials") == nil)
                    #expect(answer.header("Vary")?.contains("Origin") == true)
                }
                #expect(upstream.received.isEmpty)
                let headers = member.bearer + [("Origin", "https://app.example.com")]
                let answer = try await gateway.door.send("GET", "/api/v1/contacts", headers: headers)
                #expect(answer.status == 200)
                #expect(answer.header("Access-Control-Allow-Origin") == "https://app.example.com")
                #expect(answer.header("Access-Control-Expose-Headers")?.contains("RateLimit-Policy") == true)
                #expect(answer.header("Vary") == "Accept, Origin")
                let refused = try await gateway.door.send("GET", "/api/v1/contacts", headers: [("Origin", "https://app.example.com")])
                #expect(refused.status == 401)
                #expect(refused.header("Access-Control-Allow-Origin") == "https://app.example.com")
            }
        }
    }

    @Test func strangersAndInternalRoutesAreToldNothing() async throws {
        try await withGateway(.init(variables: ["CORS_ORIGINS": "https://app.example.com"])) { gateway in
            let evil = try await self.preflight(gateway, "/api/v1/campaigns", "https://evil.example")
            #expect(evil.status == 204)
            #expect(evil.header("Access-Control-Allow-Origin") == nil)
            #expect(evil.header("Access-Control-Allow-Methods") == nil)
            #expect(evil.header("Vary")?.contains("Origin") == true)
            #expect(try await self.preflight(gateway, "/internal/events").status == 404)
            #expect(try await gateway.door.send("OPTIONS", "/api/v1/campaigns").status == 405)
        }
    }

    @Test func withoutConfigurationNothingIsAllowed() async throws {
        try await withGateway { gateway in
            let answer = try await self.preflight(gateway, "/api/v1/campaigns")
            #expect(answer.status == 405)
            #expect(answer.header("Access-Control-Allow-Origin") == nil)
            #expect(answer.header("Vary") == nil)
        }
    }
}
