import Foundation
import LocalStack
import Models
import Testing

extension EndToEnd {
    /// From the fact in one process to the member's mailbox, through outbox, relay, gateway and a mail server.
    @Suite struct Notices {
        private static let password = "correct horse battery"

        @Test func aFailingIntegrationReachesFeedAndMailbox() async throws {
            try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let (email, quiet) = ("watch-\(Self.tag)@notices.example", "quiet-\(Self.tag)@notices.example")
                let owner = try await self.register(door, email)
                let silent = try await self.register(door, quiet)
                let off: JSONValue = ["kinds": ["integration_failed": ["mail": false]]]
                #expect(try await silent.send(.put, "/api/v1/notifications/settings", off).status == 200)
                for member in [owner, silent] { try await self.connectWithARefusedToken(member) }
                for member in [owner, silent] {
                    let entry = try await LocalWait.until("the notice", within: .seconds(60), every: .milliseconds(200)) {
                        () -> JSONValue? in
                        try await member.call(.get, "/api/v1/notifications?unread=true")["data"]?.arrayValue?.first
                    }
                    #expect(entry["kind"] == "integration_failed" && entry["count"] == 1)
                    #expect(entry["title"] == "The integration “Broken CRM” needs attention")
                    let id = try #require(entry["id"]?.stringValue)
                    #expect(try await member.call(.get, "/api/v1/notifications/unread-count")["unread"] == 1)
                    #expect(try await member.send(.post, "/api/v1/notifications/\(id)/read", [:]).status == 204)
                    #expect(try await member.call(.get, "/api/v1/notifications/unread-count")["unread"] == 0)
                }
                let text = try await self.mail(to: email) { $0.contains("needs attention") }
                #expect(text.contains("The integration “Broken CRM” needs attention"))
                #expect(!text.contains("pat-refused"))
                let unwanted = try await Self.mails(to: quiet).filter { $0.contains("needs attention") }
                #expect(unwanted == [])
            }
        }

        private static let tag = UUID().uuidString.prefix(8).lowercased()

        /// Somebody whose address is proved by the token that was mailed there.
        private func register(_ door: PublicAPI, _ email: String) async throws -> PublicAPI {
            let registration: JSONValue = [
                "email": .string(email), "password": .string(Self.password), "name": "N", "organization_name": "Notices",
            ]
            let account = try await door.call(.post, "/api/v1/auth/register", registration)
            let text = try await self.mail(to: email) { $0.contains("verify-email?token=") }
            let token = try #require(text.firstMatch(of: /verify-email\?token=(\w+)/)?.1)
            #expect(try await door.send(.post, "/api/v1/auth/email/verify", ["token": .string(String(token))]).status == 204)
            return door.signed(Secret(account["access_token"]?.stringValue ?? ""))
        }

        /// Its first sync finds that the provider takes no such token.
        private func connectWithARefusedToken(_ member: PublicAPI) async throws {
            let connection: JSONValue = [
                "provider": "hubspot", "name": "Broken CRM", "config": ["access_token": "pat-refused-0000-0000"],
            ]
            try await member.call(.post, "/api/v1/integrations", connection)
        }

        private func mail(to email: String, _ isWanted: (String) -> Bool) async throws -> String {
            try await LocalWait.until("a mail to \(email)", within: .seconds(60), every: .milliseconds(200)) { () -> String? in
                try await Self.mails(to: email).first(where: isWanted)
            }
        }

        /// Texts at the sink: base64 behind the first empty line.
        private static func mails(to email: String) async throws -> [String] {
            guard let file = await EndToEnd.stack.mail else { return [] }
            let dump = String(decoding: try Data(contentsOf: URL(filePath: file.path)), as: UTF8.self).replacing("\r\n", with: "\n")
            return dump.components(separatedBy: "X-Client-Addr:").filter { $0.contains(email) }.compactMap { mail in
                guard let body = mail.firstRange(of: "\n\n").map({ mail[$0.upperBound...] }) else { return nil }
                let encoded = body.components(separatedBy: "\n\n")[0].replacing("\n", with: "")
                return Data(base64Encoded: encoded).map { String(decoding: $0, as: UTF8.self) }
            }
        }
    }
}
