import LocalStack
import Models
import Testing

extension EndToEnd {
    /// Moves that no other test makes, so that the answer of every operation is seen at least once and held against the API document.
    @Suite struct Operations {
        @Test func campaignsArePausedResumedAndCancelled() async throws {
            try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let (credentials, _) = try await DemoJob(stack: EndToEnd.stack, name: "moves")
                    .run(email: "moves@operations.example", password: "correct horse battery")
                let owner = door.signed(Secret(credentials.accessToken))
                let path = try await self.campaign(owner)
                #expect(try await owner.call(.post, "\(path)/schedule", ["scheduled_at": "2099-01-01T00:00:00Z"])["status"] == "scheduled")
                #expect(try await owner.call(.post, "\(path)/cancel")["status"] == "cancelled")

                let sent = try await self.campaign(owner)
                #expect(try await owner.call(.post, "\(sent)/send")["status"] == "preparing")
                #expect(try await owner.call(.post, "\(sent)/pause")["status"] == "paused")
                let resumed = try await owner.call(.post, "\(sent)/resume")["status"]?.stringValue
                #expect(["preparing", "sending"].contains(resumed))
                _ = try await owner.send(.post, "\(sent)/cancel")

                let source = try await owner.call(.get, "/api/v1/integrations?provider=hubspot")["data"]?.arrayValue?.first
                let id = try #require(source?["id"]?.integerValue)
                #expect(try await owner.send(.post, "/api/v1/integrations/\(id)/sync").status == 202)

                // What the services tell is what the catalogue says of it.
                let events = try await owner.call(.get, "/api/v1/admin/webhooks/event-logs?limit=100")["data"]?.arrayValue ?? []
                let told = Set(events.compactMap { $0["type"]?.stringValue })
                #expect(told.isSuperset(of: ["integration_connected", "sync_completed", "campaign_started", "campaign_sent"]))
                #expect(events.allSatisfy { $0["quarantine"] == .null })
                let samples = try await owner.call(.get, "/api/v1/zapier/events/campaign_sent/sample")
                #expect(samples.arrayValue?.first?["data"]?["name"] != nil)
            }
        }

        @Test func sessionsAreRefreshedOnce() async throws {
            try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let registration: JSONValue = [
                    "email": "refresh@operations.example", "password": "correct horse battery", "name": "R", "organization_name": "R",
                ]
                let first = try await door.call(.post, "/api/v1/auth/register", registration)["refresh_token"] ?? .null
                #expect(try await door.send(.post, "/api/v1/auth/refresh", ["refresh_token": first]).status == 200)
                #expect(try await door.send(.post, "/api/v1/auth/refresh", ["refresh_token": first]).status == 401)
            }
        }

        /// A receiver needs no credential, and finds what the organization's members see.
        @Test func signingKeysAreThereForReceivers() async throws {
            try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let owner = try await door.registered(as: "signing")
                let organization = try #require(try await owner.call(.get, "/api/v1/auth/me")["organization"]?["id"]?.integerValue)
                let set = "/api/v1/webhooks/keys/\(organization)/jwks.json"
                #expect(try await door.send(.get, set).body == ["keys": []])

                let key = try #require(try await owner.call(.get, "/api/v1/webhooks/keys")["data"]?.arrayValue?.first)
                let answer = try await door.send(.get, set)
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == "application/jwk-set+json")
                #expect(answer.headers["cache-control"] == "public, max-age=300")
                #expect(answer.body["keys"]?.arrayValue?.map { $0["kid"]?.stringValue } == [key["id"]?.integerValue.map(String.init)])

                let next = try await owner.call(.post, "/api/v1/webhooks/keys/rotate", [:])
                #expect(try await door.send(.get, set).body["keys"]?.arrayValue?.count == 2)
                let kept = try #require(next["id"]?.integerValue)
                #expect(try await owner.call(.post, "/api/v1/webhooks/keys/rotate", ["grace_seconds": 0])["id"]?.integerValue != kept)
                #expect(try await door.send(.get, set).body["keys"]?.arrayValue?.count == 1)
                #expect(try await door.send(.get, "/api/v1/webhooks/keys/9223372036854775807/jwks.json").body == ["keys": []])
            }
        }

        private func campaign(_ owner: PublicAPI) async throws -> String {
            let mail = try await owner.call(.get, "/api/v1/integrations?provider=smtp")["data"]?.arrayValue?.first
            let campaign = try await owner.call(
                .post,
                "/api/v1/campaigns",
                [
                    "name": "Moves", "integration_id": mail?["id"] ?? .null, "from_email": "moves@operations.example", "subject": "S",
                    "text": "T", "audience": ["all": true],
                ]
            )
            return "/api/v1/campaigns/\(try #require(campaign["id"]?.integerValue))"
        }
    }
}
