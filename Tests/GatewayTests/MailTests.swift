import Database
import Encryption
import Foundation
import Models
import ServiceKit
import TestSupport
import Testing
import Transport

@testable import Gateway

@Suite struct MailTests {
    private static func settings(_ server: ScriptedSMTPServer) -> TestGateway.Settings {
        TestGateway.Settings(
            variables: [
                "MAIL_SMTP_HOST": "127.0.0.1", "MAIL_SMTP_PORT": String(server.port), "MAIL_SMTP_SECURITY": "none",
                "MAIL_FROM": "switchboard@example.com",
            ],
            runsWorkers: true
        )
    }

    private func state(_ gateway: TestGateway, _ recipient: String) async throws -> String? {
        try await gateway.database.runtime.readFirst(
            "SELECT state || ' ' || COALESCE(reason, '') || ' ' || (body IS NULL) FROM mails WHERE recipient = \(recipient)",
            as: String.self
        )
    }

    @Test func linkReachesTheMailServer() async throws {
        try await withMailServer { server in
            try await withGateway(Self.settings(server)) { gateway in
                _ = try await gateway.register("ada@example.com")
                try await eventually("the mail is taken") { server.taken == ["ada@example.com"] }
                let data = server.mails[0].data
                #expect(data.contains("From: Switchboard <switchboard@example.com>\r\n"))
                #expect(data.contains("To: <ada@example.com>\r\n"))
                let body = try #require(data.components(separatedBy: "\r\n\r\n").last)
                let text = String(decoding: try #require(Data(base64Encoded: body.replacing("\r\n", with: ""))), as: UTF8.self)
                let token = String(try #require(text.firstMatch(of: /https:\/\/gateway\.test\/verify-email\?token=(\w+)/)?.1))
                #expect(try await gateway.post("/auth/email/verify", nil, ["token": .string(token)]).status == 204)
                // Settled mail keeps no text.
                try await eventually("the mail is settled") { try await self.state(gateway, "ada@example.com") == "sent  true" }
            }
        }
    }

    @Test func refusedMailFailsWithItsReasonAndABusyServerIsTriedAgain() async throws {
        try await withMailServer { server in
            try await withGateway(Self.settings(server)) { gateway in
                _ = try await gateway.register("550-gone@example.com")
                _ = try await gateway.register("450-busy@example.com")
                try await eventually("the refused mail has failed") {
                    try await self.state(gateway, "550-gone@example.com")?.hasPrefix("failed 550") == true
                }
                try await eventually("the other one waits") {
                    try await self.state(gateway, "450-busy@example.com")?.hasPrefix("pending 450") == true
                }
            }
        }
    }

    @Test func withoutAServerProductionSaysSo() async throws {
        let variables = ["SWITCHBOARD_ENV": "production", "ENCRYPTION_KEY": Data(try RandomToken.bytes(32)).base64EncodedString()]
        try await withGateway(.init(variables: variables, runsWorkers: true)) { gateway in
            let owner = try await gateway.register()
            let invited = try await gateway.post("/invitations", owner, ["email": "bob@example.com", "role": "viewer"])
            #expect(invited.status == 201)
            #expect(invited.json["mail"] == "not_configured")
            #expect(try await self.state(gateway, "bob@example.com") == "failed not_configured true")
        }
    }

    @Test func inDevelopmentTheMailIsSettledByTheLog() async throws {
        try await withGateway(.init(runsWorkers: true)) { gateway in
            _ = try await gateway.register()
            try await eventually("the mail is settled") { try await self.state(gateway, "ada@example.com") == "sent  true" }
        }
    }

    @Test func textIsSealedWhileItWaits() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let body = try await gateway.database.runtime.readFirst("SELECT body FROM mails", as: Bytes.self)
            let token = try await gateway.mailedToken("email_verification", to: member.email)
            #expect(body?.bytes.isEmpty == false)
            #expect(body?.bytes.firstRange(of: Array(token.utf8)) == nil)
        }
    }

    private struct Bytes: RowDecodable {
        var bytes: [UInt8]
        init(row: Row) throws { self.bytes = try row.only() }
    }

    @Test func lostClaimSettlesNothing() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let queue = gateway.gateways[0].mails
            let first = try #require(try await queue.claim(10).first)
            #expect(try await queue.claim(10).isEmpty)
            try await queue.handBack(first)
            let second = try #require(try await queue.claim(10).first)
            try await queue.settle(first, failed: "stale")
            #expect(try await self.state(gateway, member.email)?.hasPrefix("pending") == true)
            try await queue.settle(second, failed: nil)
            #expect(try await self.state(gateway, member.email) == "sent  true")
        }
    }

    @Test func headersCannotBeSmuggledIntoASubject() throws {
        let subject = "Invitation to Ünïversal\r\nBcc: all@example.com " + String(repeating: "x", count: 90)
        let message = MailMessage(
            from: "a@example.com",
            to: "b@example.com",
            subject: subject,
            text: "Grüße\n.\nEnd",
            id: "mail_1",
            date: Date(timeIntervalSince1970: 0)
        )
        let text = String(decoding: message.bytes, as: UTF8.self)
        #expect(!text.contains("Bcc:"))
        #expect(text.contains("Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"))
        #expect(text.contains("Message-ID: <mail_1@example.com>\r\n"))
        #expect(text.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 78 && $0.utf8.allSatisfy { $0 < 0x80 } })
        let plain = MailMessage(from: "a@b.c", to: "b@b.c", subject: "Plain words", text: "x", id: "m", date: Date())
        #expect(String(decoding: plain.bytes, as: UTF8.self).contains("Subject: Plain words\r\n"))
    }

    @Test func outcomesFollowTheReply() {
        func outcome(_ code: Int, _ stage: SMTPReply.Stage) -> MailOutcome {
            MailOutcome(SMTPReply(code: code, enhancedStatus: nil, text: "x", stage: stage))
        }
        #expect(outcome(250, .message) == .sent)
        #expect(outcome(550, .recipient) == .failed("550 x (at recipient)"))
        #expect(outcome(554, .message) == .failed("554 x (at message)"))
        #expect(outcome(450, .recipient) == .postponed("450 x (at recipient)"))
        #expect(outcome(535, .session) == .postponed("535 x (at session)"))
        #expect(outcome(550, .sender) == .postponed("550 x (at sender)"))
        #expect(MailOutcome(TransportError(kind: .connectionLost, surelyNotSent: false, detail: "")) == .postponed("connectionLost"))
        #expect(MailOutcome(TransportError(kind: .invalidRequest, surelyNotSent: true, detail: "")) == .failed("invalidRequest"))
    }

    @Test(arguments: [
        (["MAIL_SMTP_HOST": "mail.example.com"], "MAIL_FROM"),
        (["MAIL_SMTP_USERNAME": "u"], "MAIL_SMTP_PASSWORD"),
        (["MAIL_FROM": "Somebody <a@example.com>"], "MAIL_FROM"),
        (["MAIL_SMTP_SECURITY": "ssl"], "MAIL_SMTP_SECURITY"),
        (["MAIL_SMTP_SECURITY": "none", "MAIL_SMTP_USERNAME": "u", "MAIL_SMTP_PASSWORD": "p"], "MAIL_SMTP_SECURITY"),
    ])
    func halfASettingIsNoSetting(_ variables: [String: String], _ named: String) async throws {
        try await withDatabase(.gateway, migrations: []) { database in
            let environment = TestGateway.environment(database, .init(variables: variables))
            let error = #expect(throws: (any Error).self) {
                try ServiceMain.configure(.gateway, GatewayConfiguration.self, SettingsReader(environment: environment))
            }
            let text = String(describing: try #require(error))
            #expect(text.contains(named))
        }
    }
}
