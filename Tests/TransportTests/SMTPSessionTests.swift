import Logging
import Models
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct SMTPSessionTests {
    private static let message = Array("Subject: Hi\r\n\r\nHello\r\n".utf8)

    private func error(
        _ plan: SMTPScript.Plan,
        _ security: SMTPServer.Security = .none,
        username: String? = nil,
        guardRules: OutboundGuard? = nil
    ) async throws -> (TransportError?, SMTPScript) {
        let script = try SMTPScript(plan)
        defer { script.stop() }
        let configuration = SMTPClient.Configuration(
            replyTimeout: .milliseconds(300),
            connectTimeout: .milliseconds(300),
            guardRules: guardRules
        )
        let client = SMTPClient(configuration, logger: Logger(label: "test"))
        let server = script.smtp(security, username: username)
        let error = await transportError {
            try await client.submit(to: server, from: "s@example.com", recipient: "r@example.com", message: Self.message)
        }
        await client.shutdown(within: .zero)
        #expect(error?.surelyNotSent == true)
        #expect(script.messages.isEmpty)
        return (error, script)
    }

    private func verified(_ plan: SMTPScript.Plan, username: String? = nil) async throws -> (SMTPReply, [String]) {
        let script = try SMTPScript(plan)
        defer { script.stop() }
        let client = SMTPClient(.init(guardRules: nil), logger: Logger(label: "test"))
        let reply = try await client.verify(script.smtp(username: username))
        await client.shutdown(within: .zero)
        return (reply, script.log)
    }

    @Test func missingStartTLSSendsNothing() async throws {
        let (error, script) = try await self.error(SMTPScript.Plan(), .startTLS, username: "u")
        #expect(error?.kind == .tls)
        #expect(!script.log.contains { $0.hasPrefix("AUTH") || $0.hasPrefix("MAIL") })
    }

    @Test func refusedStartTLSSendsNothing() async throws {
        var plan = SMTPScript.Plan()
        plan.extensions = ["STARTTLS", "AUTH PLAIN"]
        plan.answer = { line, _ in line == "STARTTLS" ? .reply("454 4.7.0 no TLS") : nil }
        let (error, script) = try await self.error(plan, .startTLS, username: "u")
        #expect(error != nil)
        #expect(!script.log.contains { $0.hasPrefix("AUTH") || $0.hasPrefix("MAIL") })
    }

    @Test func implicitTLSOnAPlainPortFails() async throws {
        let (error, _) = try await self.error(SMTPScript.Plan(), .tls)
        #expect(error?.kind == .tls || error?.kind == .timedOut)
    }

    @Test func refusedCredentialsAreAnAuthenticationError() async throws {
        var plan = SMTPScript.Plan()
        plan.extensions = ["AUTH PLAIN LOGIN"]
        plan.authentication = .reply("535 5.7.8 wrong password")
        let (error, _) = try await self.error(plan, username: "u")
        #expect(error?.kind == .authentication)
        #expect(error?.detail.contains("535") == true)
        #expect(error?.detail.contains("pass word") == false)
    }

    @Test func temporaryAuthenticationTroubleIsNoRefusal() async throws {
        var plan = SMTPScript.Plan()
        plan.extensions = ["AUTH PLAIN"]
        plan.authentication = .reply("454 4.7.0 later")
        let kind = try await self.error(plan, username: "u").0?.kind
        #expect(kind == .connect)
    }

    @Test func credentialsAreNeverLeftOutSilently() async throws {
        let (error, script) = try await self.error(SMTPScript.Plan(), username: "u")
        #expect(error?.kind == .authentication)
        #expect(!script.log.contains { $0.hasPrefix("MAIL") })
    }

    @Test func refusedGreetingIsSurelyNotSent() async throws {
        var plan = SMTPScript.Plan()
        plan.greeting = .reply("421 4.7.0 too many connections")
        let temporary = try await self.error(plan).0?.kind
        #expect(temporary == .connect)
        plan.greeting = .reply("554 5.7.1 go away")
        let permanent = try await self.error(plan).0?.kind
        #expect(permanent == .authentication)
    }

    @Test func silentGreetingTimesOut() async throws {
        var plan = SMTPScript.Plan()
        plan.greeting = .hang
        let kind = try await self.error(plan).0?.kind
        #expect(kind == .timedOut)
    }

    @Test func whatIsNoSMTPIsAProtocolError() async throws {
        var plan = SMTPScript.Plan()
        plan.greeting = .reply("SSH-2.0-OpenSSH_9.2")
        let error = try await self.error(plan).0
        #expect(error != nil)
        plan = SMTPScript.Plan()
        plan.answer = { line, _ in line.hasPrefix("MAIL") ? .reply("hello") : nil }
        let kind = try await self.error(plan).0?.kind
        #expect(kind == .protocolError)
    }

    @Test func guardRefusesTheServersAddress() async throws {
        let (error, script) = try await self.error(SMTPScript.Plan(), guardRules: OutboundGuard(allow: ""))
        #expect(error?.kind == .refusedAddress)
        #expect(script.connections == 0)
    }

    @Test func verifyTellsWhatTheServerSays() async throws {
        var plan = SMTPScript.Plan()
        plan.extensions = ["AUTH PLAIN"]
        let (well, log) = try await self.verified(plan, username: "u")
        #expect(well.code == 235 && well.isAccepted && well.stage == .session)
        #expect(!log.contains { $0.hasPrefix("MAIL") })
        plan.authentication = .reply("535 5.7.8 wrong password")
        let (refused, _) = try await self.verified(plan, username: "u")
        #expect(refused.code == 535 && refused.enhancedStatus == "5.7.8" && refused.text == "wrong password")
        let unauthenticated = try await self.verified(SMTPScript.Plan()).0.code
        #expect(unauthenticated == 250)
    }

    // MARK: Input

    @Test(arguments: [
        "", "a", "@b", "a@", "a b@c", "a@b c", "a@b>\r\nRCPT TO:<evil@x", "a@b\r\nDATA", "a@b\n", "<a@b>", "a@b>", "a\u{0}@b", "ä@b.c",
        "a@ä.c",
        "\"a b\"@c.d", "a@b SIZE=1", String(repeating: "a", count: 65) + "@b.c", "a@" + String(repeating: "b", count: 256),
    ]) func addressesCannotSmuggleCommands(address: String) {
        #expect(throws: TransportError.self) { try SMTPEnvelope(from: "a@b.c", recipient: address, message: []) }
        if !address.isEmpty {
            #expect(throws: TransportError.self) { try SMTPEnvelope(from: address, recipient: "a@b.c", message: []) }
        }
    }

    @Test(arguments: ["a\nb", "a\rb", "\n", "\r", "a\r\n\n", "a\r\r\n", "a\u{0}b", "a\r"])
    func lonelyLineEndsAreRefused(message: String) {
        #expect(throws: TransportError.self) { try SMTPEnvelope(from: "", recipient: "a@b.c", message: Array(message.utf8)) }
    }

    @Test(arguments: [
        ("", "\r\n.\r\n"), ("a", "a\r\n.\r\n"), ("a\r\n", "a\r\n.\r\n"), (".", "..\r\n.\r\n"), (".\r\n", "..\r\n.\r\n"),
        ("a\r\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a.b\r\n..c", "a.b\r\n...c\r\n.\r\n"),
    ]) func messagesAreStuffedAndEnded(message: String, wire: String) throws {
        let envelope = try SMTPEnvelope(from: "bounce+1=x@b.c", recipient: "o'neil+tag@b.c", message: Array(message.utf8))
        #expect(String(decoding: envelope.data, as: UTF8.self) == wire)
    }

    @Test func repliesAreReadByteByByte() throws {
        var parser = SMTPReplyParser()
        var replies: [SMTPReply] = []
        for byte in Array("250-2.1.0 one\r\n250 2.1.0 two\r\n354\r\n550 no\tstatus\n451 5.1.1 x\r\n".utf8) {
            try withUnsafeBytes(of: byte) { replies += try parser.add($0) }
        }
        #expect(replies.map(\.code) == [250, 354, 550, 451])
        #expect(replies[0].text == "one two" && replies[0].enhancedStatus == "2.1.0")
        #expect(replies[1].text.isEmpty)
        #expect(replies[2].text == "nostatus")
        #expect(replies[3].enhancedStatus == nil)
    }

    @Test(arguments: ["hello\r\n", "25\r\n", "250-a\r\n251 b\r\n", "999 x\r\n", "199 x\r\n", String(repeating: "2", count: 5000)])
    func badRepliesAreMalformed(text: String) {
        var parser = SMTPReplyParser()
        #expect(throws: SMTPReplyParser.Malformed.self) {
            try Array(text.utf8).withUnsafeBytes { _ = try parser.add($0) }
        }
    }
}
