import Logging
import Models
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct SMTPClientTests {
    private static let message = Array("Subject: Hi\r\n\r\nHello\r\n.\r\n..dots\r\nend\r\n".utf8)

    /// More than all buffers on the way take.
    private static let large: [UInt8] = {
        var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 32 << 20)
        for end in stride(from: 8192, through: bytes.count, by: 8192) { bytes.replaceSubrange(end - 2..<end, with: [0x0d, 0x0a]) }
        return bytes
    }()

    private func withSMTP<Result>(
        _ configuration: SMTPClient.Configuration = SMTPClient.Configuration(guardRules: nil),
        _ body: (SMTPClient) async throws -> Result
    ) async throws -> Result {
        let client = SMTPClient(configuration, logger: Logger(label: "test"))
        do {
            let result = try await body(client)
            await client.shutdown(within: .zero)
            return result
        } catch {
            await client.shutdown(within: .zero)
            throw error
        }
    }

    private func submit(_ client: SMTPClient, _ server: SMTPServer, to recipient: String = "r@example.com") async throws -> SMTPReply {
        try await client.submit(to: server, from: "s@example.com", recipient: recipient, message: Self.message)
    }

    private func submitted(_ plan: SMTPScript.Plan, replyTimeout: Duration = .seconds(60)) async throws -> SMTPReply {
        let script = try SMTPScript(plan)
        defer { script.stop() }
        return try await self.withSMTP(.init(replyTimeout: replyTimeout, guardRules: nil)) { try await self.submit($0, script.smtp()) }
    }

    // MARK: Acceptance

    @Test(arguments: [["PIPELINING", "SIZE", "8BITMIME"], []])
    func messageArrivesAsItIs(extensions: [String]) async throws {
        var plan = SMTPScript.Plan()
        plan.extensions = extensions
        let script = try SMTPScript(plan)
        defer { script.stop() }
        try await self.withSMTP { client in
            let reply = try await self.submit(client, script.smtp())
            #expect(reply == SMTPReply(code: 250, enhancedStatus: "2.0.0", text: "queued as r@example.com", stage: .message))
            let body = "Subject: Hi\r\n\r\nHello\r\n.\r\n..dots\r\nend"
            #expect(script.messages == [.init(from: "s@example.com", recipient: "r@example.com", body: body)])
            #expect(script.log.first == "EHLO client.example")
            #expect(script.log.contains("MAIL FROM:<s@example.com>" + (extensions.isEmpty ? "" : " SIZE=\(Self.message.count)")))
        }
    }

    @Test func connectionIsUsedAgainAndLeftPolitely() async throws {
        let script = try SMTPScript()
        defer { script.stop() }
        try await self.withSMTP { client in
            for number in 0..<20 {
                let isAccepted = try await self.submit(client, script.smtp(), to: "r\(number)@example.com").isAccepted
                #expect(isAccepted)
            }
            #expect(script.connections == 1)
            #expect(script.messages.map(\.recipient) == (0..<20).map { "r\($0)@example.com" })
        }
        #expect(await eventually { script.log.last == "QUIT" })
    }

    @Test func thousandMessagesGoThroughFewConnections() async throws {
        let script = try SMTPScript()
        defer { script.stop() }
        try await self.withSMTP(.init(maximumConnectionsPerServer: 7, guardRules: nil)) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 {
                    group.addTask {
                        let reply = try await self.submit(client, script.smtp(), to: "r\(number)@example.com")
                        #expect(reply.isAccepted)
                    }
                }
                try await group.waitForAll()
            }
            #expect(Set(script.messages.map(\.recipient)).count == 1000 && script.messages.count == 1000)
            #expect(script.connections <= 7)
        }
    }

    @Test func connectionIsGivenUpAfterItsShare() async throws {
        let script = try SMTPScript()
        defer { script.stop() }
        var configuration = SMTPClient.Configuration(guardRules: nil)
        configuration.maximumMessagesPerConnection = 5
        try await self.withSMTP(configuration) { client in
            for _ in 0..<12 {
                let isAccepted = try await self.submit(client, script.smtp()).isAccepted
                #expect(isAccepted)
            }
            #expect(script.connections == 3)
        }
    }

    @Test func serversThatDifferInAnythingShareNoConnection() async throws {
        var plan = SMTPScript.Plan()
        plan.extensions.append("AUTH PLAIN")
        let script = try SMTPScript(plan)
        defer { script.stop() }
        try await self.withSMTP { client in
            var other = script.smtp()
            other.clientName = "other.example"
            for server in [script.smtp(), other, script.smtp(username: "u"), script.smtp()] {
                let isAccepted = try await self.submit(client, server).isAccepted
                #expect(isAccepted)
            }
            #expect(script.connections == 3)
            #expect(script.log.contains("AUTH PLAIN AHUAcGFzcyB3b3JkJQ=="))
        }
    }

    // MARK: Refusals are replies

    @Test(arguments: [true, false])
    func refusedCommandsAreAnsweredAsReplies(pipelining: Bool) async throws {
        let cases: [(verb: String, text: String, stage: SMTPReply.Stage)] = [
            ("MAIL", "550 5.7.1 no sender like that", .sender), ("MAIL", "451 4.3.0 later", .sender),
            ("RCPT", "450 4.2.1 busy", .recipient),
            ("RCPT", "550-5.1.1 no\r\n550 5.1.1 such user", .recipient), ("DATA", "451 4.3.2 not now", .data),
            (".", "451 4.7.1 greylisted", .message), (".", "554 5.7.1 spam", .message), (".", "452 too much", .message),
        ]
        for (verb, text, stage) in cases {
            var plan = SMTPScript.Plan()
            if !pipelining { plan.extensions = [] }
            // The first attempt is refused; after a refused MAIL or RCPT a real server refuses what was pipelined behind it.
            plan.answer = { line, mails in
                guard mails == 1 else { return nil }
                if line.hasPrefix(verb) { return .reply(text) }
                if verb == "MAIL", line.hasPrefix("RCPT") { return .reply("503 5.5.1 need MAIL") }
                if verb == "MAIL" || verb == "RCPT", line.hasPrefix("DATA") { return .reply("503 5.5.1 need RCPT") }
                return nil
            }
            let script = try SMTPScript(plan)
            defer { script.stop() }
            try await self.withSMTP { client in
                let reply = try await self.submit(client, script.smtp())
                #expect(reply.code == Int(text.prefix(3)) && reply.stage == stage, "\(verb) \(text) \(reply)")
                #expect(reply.enhancedStatus == (text.contains("too much") ? nil : String(text.dropFirst(4).prefix(5))))
                // The connection goes on with the next message.
                let nextIsAccepted = try await self.submit(client, script.smtp()).isAccepted
                #expect(nextIsAccepted)
                #expect(script.connections == 1)
                #expect(script.messages.count == 1)
            }
        }
    }

    @Test func dataTakenAfterARefusedRecipientDeliversNothing() async throws {
        var plan = SMTPScript.Plan()
        plan.answer = { line, mails in mails == 1 && line.hasPrefix("RCPT") ? .reply("550 5.1.1 nobody") : nil }
        let script = try SMTPScript(plan)
        defer { script.stop() }
        try await self.withSMTP { client in
            let refused = try await self.submit(client, script.smtp()).code
            #expect(refused == 550)
            let nextIsAccepted = try await self.submit(client, script.smtp()).isAccepted
            #expect(nextIsAccepted)
            #expect(script.connections == 2)
            #expect(script.messages.count == 1)
        }
    }

    @Test func closingServiceIsARefusalAndEndsTheConnection() async throws {
        var plan = SMTPScript.Plan()
        plan.answer = { line, mails in mails == 1 && line.hasPrefix("RCPT") ? .reply("421 4.3.2 closing") : nil }
        let script = try SMTPScript(plan)
        defer { script.stop() }
        try await self.withSMTP { client in
            let refused = try await self.submit(client, script.smtp()).code
            #expect(refused == 421)
            let nextIsAccepted = try await self.submit(client, script.smtp()).isAccepted
            #expect(nextIsAccepted)
            #expect(script.connections == 2)
        }
    }

    @Test func refusalInTheMiddleOfTheMessageIsAReply() async throws {
        var plan = SMTPScript.Plan()
        plan.duringMessage = .reply("552 5.3.4 too big")
        let script = try SMTPScript(plan)
        defer { script.stop() }
        try await self.withSMTP { client in
            let large = Self.large
            let reply = try await client.submit(to: script.smtp(), from: "s@example.com", recipient: "r@example.com", message: large)
            #expect(reply.code == 552 && reply.stage == .message)
        }
    }

    // MARK: What is surely not sent

    @Test(arguments: ["MAIL", "RCPT", "DATA"], [SMTPScript.Act.cut, .hang])
    func whatEndsBeforeTheMessageIsSurelyNotSent(verb: String, act: SMTPScript.Act) async throws {
        var plan = SMTPScript.Plan()
        plan.answer = { line, _ in line.hasPrefix(verb) ? act : nil }
        let error = await transportError { try await self.submitted(plan, replyTimeout: .milliseconds(200)) }
        #expect(error?.surelyNotSent == true)
        if case .hang = act { #expect(error?.kind == .timedOut) } else { #expect(error?.kind == .connectionLost) }
    }

    @Test(arguments: [SMTPScript.Act.cut, .hang])
    func whatEndsAfterTheFinalDotIsAmbiguous(act: SMTPScript.Act) async throws {
        var plan = SMTPScript.Plan()
        plan.answer = { line, _ in line == "." ? act : nil }
        let error = await transportError { try await self.submitted(plan, replyTimeout: .milliseconds(200)) }
        #expect(error?.surelyNotSent == false)
        if case .hang = act { #expect(error?.kind == .timedOut) } else { #expect(error?.kind == .connectionLost) }
    }

    @Test func cutBeforeTheFinalDotIsSurelyNotSent() async throws {
        var plan = SMTPScript.Plan()
        plan.duringMessage = .cut
        let script = try SMTPScript(plan)
        defer { script.stop() }
        try await self.withSMTP { client in
            let large = Self.large
            let error = await transportError {
                try await client.submit(to: script.smtp(), from: "s@example.com", recipient: "r@example.com", message: large)
            }
            #expect(error?.kind == .connectionLost && error?.surelyNotSent == true)
        }
    }

    @Test func keptConnectionThatDiedIsReplacedUnnoticed() async throws {
        var plan = SMTPScript.Plan()
        plan.answer = { line, mails in mails == 2 && line.hasPrefix("MAIL") ? .cut : nil }
        let script = try SMTPScript(plan)
        defer { script.stop() }
        try await self.withSMTP { client in
            let firstIsAccepted = try await self.submit(client, script.smtp()).isAccepted
            #expect(firstIsAccepted)
            let secondIsAccepted = try await self.submit(client, script.smtp()).isAccepted
            #expect(secondIsAccepted)
            #expect(script.connections == 2)
            #expect(script.messages.count == 2)
        }
    }

    @Test func cancelledBeforeTheMessageIsNotSent() async throws {
        var plan = SMTPScript.Plan()
        plan.answer = { line, _ in line.hasPrefix("RCPT") ? .hang : nil }
        let script = try SMTPScript(plan)
        defer { script.stop() }
        try await self.withSMTP { client in
            let task = Task { try await self.submit(client, script.smtp()) }
            #expect(await eventually { script.log.contains { $0.hasPrefix("RCPT") } })
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(await eventually { client.load == TransportLoad(inFlight: 0, queued: 0) })
        }
    }

    @Test func cancelledAfterTheFinalDotStillTellsTheReply() async throws {
        let reached = Signal()
        let goOn = Signal()
        var plan = SMTPScript.Plan()
        plan.answer = { line, _ in
            guard line == "." else { return nil }
            reached.set()
            goOn.block()
            return .reply("250 2.0.0 taken")
        }
        let script = try SMTPScript(plan)
        defer { script.stop() }
        try await self.withSMTP { client in
            let task = Task { try await self.submit(client, script.smtp()) }
            await reached.wait()
            task.cancel()
            goOn.set()
            let text = try await task.value.text
            #expect(text == "taken")
        }
    }

    @Test func shutdownAbortsWhatIsLate() async throws {
        let reached = Signal()
        var plan = SMTPScript.Plan()
        plan.answer = { line, _ in
            guard line == "." else { return nil }
            reached.set()
            return .hang
        }
        let script = try SMTPScript(plan)
        defer { script.stop() }
        let client = SMTPClient(.init(maximumConnectionsPerServer: 1, guardRules: nil), logger: Logger(label: "test"))
        async let first = transportError { try await self.submit(client, script.smtp()) }
        await reached.wait()
        async let second = transportError { try await self.submit(client, script.smtp()) }
        #expect(await eventually { client.load.queued == 1 })
        await client.shutdown(within: .milliseconds(50))
        let (late, waiting) = await (first, second)
        #expect(late?.kind == .shuttingDown && late?.surelyNotSent == false)
        #expect(waiting?.kind == .shuttingDown && waiting?.surelyNotSent == true)
        #expect(await transportError { try await self.submit(client, script.smtp()) }?.kind == .shuttingDown)
    }
}
