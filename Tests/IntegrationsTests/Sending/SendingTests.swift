import Database
import Foundation
import HTTPTypes
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Synchronization
import TestSupport
import Testing
import Transport

@testable import Integrations

@Suite(.serialized) struct SendingTests {
    private static func message(_ key: String, to recipient: String) -> EmailMessage {
        EmailMessage(
            sendKey: key,
            toAddress: recipient,
            fromAddress: "news@example.com",
            subject: "Grüße \(key)",
            html: "<p>Hi \(key)</p>",
            text: "Hi"
        )
    }

    private static func connect(_ stack: TestStack, _ server: ScriptedSMTPServer) async throws -> IntegrationID {
        try await stack.connect([
            "provider": "smtp", "config": ["host": "127.0.0.1", "port": .integer(Int64(server.port)), "security": "none"],
        ])
    }

    private static func batch(_ id: IntegrationID, _ messages: [EmailMessage]) -> SendBatch {
        SendBatch(organizationID: TestStack.organization, integrationID: id, messages: messages)
    }

    @Test func eachMessageSettlesAsTheServerSays() async throws {
        try await withMailServer { server in
            try await withIntegrations { stack in
                let id = try await Self.connect(stack, server)
                let outcomes = try await stack.send(
                    Self.batch(
                        id,
                        [
                            Self.message("ok", to: "ok@example.org"), Self.message("no", to: "550-a@example.org"),
                            Self.message("later", to: "450-a@example.org"), Self.message("spam", to: "data554-a@example.org"),
                            Self.message("bad", to: "bad\r\nRCPT TO:<x@y.z>@example.org"),
                        ]
                    )
                )
                #expect(outcomes["ok"]?.outcome == .accepted)
                #expect(outcomes["ok"]?.providerMessageID == "<ok@example.com>")
                #expect(outcomes["no"]?.outcome == .rejected)
                #expect(outcomes["no"]?.reason == "smtp_550")
                #expect(outcomes["later"]?.outcome == .notSent)
                #expect(outcomes["later"]?.retryAfter != nil)
                #expect(outcomes["spam"]?.outcome == .rejected)
                #expect(outcomes["bad"]?.outcome == .rejected)
                #expect(server.taken == ["ok@example.org"])
            }
        }
    }

    @Test func aRepeatedBatchIsAnsweredFromRowsWithoutASecondMail() async throws {
        try await withMailServer { server in
            try await withIntegrations { stack in
                let id = try await Self.connect(stack, server)
                let batch = Self.batch(id, (0..<50).map { Self.message("k\($0)", to: "c\($0)@example.org") })
                let first = try await stack.send(batch)
                let second = try await stack.send(batch)
                #expect(first.values.allSatisfy { $0.outcome == .accepted })
                #expect(second == first)
                #expect(server.taken.count == 50)
            }
        }
    }

    @Test func batchesAtTheSameTimeSendEachMessageOnce() async throws {
        try await withMailServer { server in
            try await withIntegrations { stack in
                let id = try await Self.connect(stack, server)
                let batch = Self.batch(id, (0..<100).map { Self.message("k\($0)", to: "c\($0)@example.org") })
                try await withThrowingTaskGroup(of: [String: SendOutcome].self) { group in
                    for _ in 0..<4 { group.addTask { try await stack.send(batch) } }
                    for try await outcomes in group { #expect(outcomes.count == 100) }
                }
                #expect(Set(server.taken).count == 100)
                #expect(server.taken.count == 100)
            }
        }
    }

    @Test func aServerThatHangsLeavesDoubtAndNoSecondMail() async throws {
        try await withMailServer { server in
            try await withIntegrations(.init(sendLease: 6, smtpReplyTimeout: 1)) { stack in
                let id = try await Self.connect(stack, server)
                let batch = Self.batch(id, [Self.message("h", to: "hang-a@example.org"), Self.message("k", to: "k@example.org")])
                let outcomes = try await stack.send(batch)
                #expect(outcomes["h"]?.outcome == .inDoubt)
                #expect(outcomes["k"]?.outcome == .accepted)
                #expect(try await stack.send(batch)["h"]?.outcome == .inDoubt)
                #expect(server.reached.filter { $0.hasPrefix("hang") }.count == 1)
            }
        }
    }

    @Test func anUnreachableServerEndsTheBatchAtOnce() async throws {
        let server = try ScriptedSMTPServer()
        server.stop()
        try await withIntegrations { stack in
            let id = try await Self.connect(stack, server)
            let outcomes = try await stack.send(Self.batch(id, (0..<200).map { Self.message("k\($0)", to: "c\($0)@example.org") }))
            #expect(outcomes.count == 200)
            #expect(outcomes.values.allSatisfy { $0.outcome == .notSent && $0.retryAfter != nil })
            let begun = try await stack.database.owner.readFirst("SELECT sum(attempts) FROM outbound_messages", as: Int.self)
            #expect((begun ?? 0) < 20)
        }
    }

    /// The asker goes away in the middle: what has begun settles, the rest is handed back, and a second POST finds each sent once.
    @Test func aBrokenStreamLosesAndDoublesNothing() async throws {
        try await withMailServer { server in
            try await withIntegrations { stack in
                let id = try await Self.connect(stack, server)
                let messages = (0..<200).map { Self.message("k\($0)", to: "c\($0)@example.org") }
                let connection = try #require(try await stack.assembly.integrations.connection(id, in: TestStack.organization))
                let sender = try #require(stack.assembly.parts.providers["smtp"]?.mail)
                let session = SendSession(messages, over: connection, by: sender, house: stack.assembly.sendHouse)
                server.hold(true)
                async let running: Void = session.run()
                try await eventually { server.reached.count == 8 }
                session.stop()
                server.hold(false)
                await running
                #expect(server.taken.count == 8)
                let outcomes = try await stack.send(Self.batch(id, messages))
                #expect(outcomes.count == 200)
                #expect(outcomes.values.allSatisfy { $0.outcome == .accepted })
                #expect(server.taken.count == 200)
                #expect(Set(server.taken).count == 200)
            }
        }
    }

    /// As above over the wire: the connection of the asker is cut while messages are at the server.
    @Test func aCutConnectionLosesAndDoublesNothing() async throws {
        try await withMailServer { server in
            try await withIntegrations { stack in
                let id = try await Self.connect(stack, server)
                let batch = Self.batch(id, (0..<200).map { Self.message("k\($0)", to: "c\($0)@example.org") })
                server.hold(true)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try await stack.send(batch) }
                    try await eventually { server.reached.count == 8 }
                    group.cancelAll()
                    while (await group.nextResult()) != nil {}
                }
                server.hold(false)
                let outcomes = Mutex<[String: SendOutcome]>([:])
                try await eventually {
                    let answered = try await stack.send(batch)
                    outcomes.withLock { $0 = answered }
                    return answered.count == 200 && answered.values.allSatisfy { $0.outcome != .inFlight }
                }
                #expect(outcomes.withLock { $0 }.values.allSatisfy { $0.outcome == .accepted })
                #expect(server.taken.count == 200)
                #expect(Set(server.taken).count == 200)
            }
        }
    }

    @Test func aPausedIntegrationSendsNothingButStillAnswers() async throws {
        try await withMailServer { server in
            try await withIntegrations { stack in
                let id = try await Self.connect(stack, server)
                _ = try await stack.send(Self.batch(id, [Self.message("a", to: "a@example.org")]))
                _ = try await stack.call(.patch, "/api/v1/integrations/\(id)", ["status": "paused"])
                let outcomes = try await stack.send(
                    Self.batch(id, [Self.message("a", to: "a@example.org"), Self.message("b", to: "b@example.org")])
                )
                #expect(outcomes["a"]?.outcome == .accepted)
                #expect(outcomes["b"]?.outcome == .notSent)
                #expect(outcomes["b"]?.reason == "integration_paused")
                #expect(server.taken.count == 1)
            }
        }
    }

    @Test(arguments: [0, 1001])
    func aBatchOfNoSizeIsRefused(_ count: Int) async throws {
        try await withIntegrations { stack in
            let batch = Self.batch(IntegrationID(rawValue: 1), (0..<count).map { Self.message("k\($0)", to: "a@b.c") })
            await #expect(throws: TestFailure.self) { try await stack.send(batch) }
        }
    }

    @Test func sendGridTakesOneMessageACall() async throws {
        let bodies = Mutex<[JSONValue]>([])
        let router = Router()
        router.post("/v3/mail/send") { request, _ in
            let body = try JSONValue(parsing: Array(buffer: try await request.body.collect(upTo: 1 << 20)))
            bodies.withLock { $0.append(body) }
            var response = Response(status: .accepted)
            if let name = HTTPField.Name("X-Message-Id") { response.headers[name] = "sg-1" }
            return response
        }
        router.get("/v3/scopes") { _, _ in
            Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: #"{"scopes":["stats.read"]}"#)))
        }
        try await withServer(router) { url in
            try await withIntegrations(.init(sendGrid: url)) { stack in
                let id = try await stack.connect(["provider": "sendgrid", "config": ["api_key": "SG.abcdefgh"]])
                let outcomes = try await stack.send(Self.batch(id, (0..<10).map { Self.message("k\($0)", to: "c\($0)@example.org") }))
                #expect(outcomes.values.allSatisfy { $0.outcome == .accepted && $0.providerMessageID == "sg-1" })
                let keys = bodies.withLock { $0 }.compactMap {
                    $0["personalizations"]?.arrayValue?.first?["custom_args"]?["send_key"]?.stringValue
                }
                #expect(Set(keys).count == 10)
                let test = try await stack.call(.post, "/api/v1/integrations/\(id)/test")
                #expect(test.json["ok"] == false)
                #expect(test.json["detail"]?.stringValue?.contains("mail.send") == true)
            }
        }
    }

    @Test func aRefusedKeyStopsTheBatchAndAsksForAPerson() async throws {
        let calls = Mutex(0)
        let router = Router()
        router.post("/v3/mail/send") { _, _ in
            calls.withLock { $0 += 1 }
            return Response(status: .unauthorized)
        }
        try await withServer(router) { url in
            try await withIntegrations(.init(sendGrid: url)) { stack in
                let id = try await stack.connect(["provider": "sendgrid", "config": ["api_key": "SG.abcdefgh"]])
                let outcomes = try await stack.send(Self.batch(id, (0..<100).map { Self.message("k\($0)", to: "c\($0)@example.org") }))
                #expect(outcomes.count == 100)
                #expect(outcomes.values.allSatisfy { $0.outcome == .notSent })
                #expect(calls.withLock { $0 } <= 8)
                #expect(try await stack.call(.get, "/api/v1/integrations/\(id)").json["status"] == "needs_attention")
                #expect(try await stack.outbox("integration_failed").count == 1)
            }
        }
    }
}
