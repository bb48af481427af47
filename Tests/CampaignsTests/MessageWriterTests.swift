import Models
import Testing

@testable import Campaigns

@Suite struct MessageWriterTests {
    private func batch(html: String? = nil, text: String? = "Hi {{first_name|there}}", count: Int = 3) -> ClaimedBatch {
        ClaimedBatch(
            campaign: CampaignKey(organization: 4, id: 6),
            letter: Letter(
                integrationID: 8,
                fromEmail: "news@x.example",
                fromName: "News \"daily\"",
                replyTo: nil,
                subject: "Hi {{first_name|there}}",
                html: html,
                text: text,
                refusals: 0
            ),
            messages: (1...count).map { number in
                ClaimedMessage(
                    contactID: ContactID(Int64(number)),
                    fence: 1,
                    sendKey: "key\(number)",
                    address: "p\(number)@x.example",
                    attempts: 0,
                    checks: 0,
                    values: TemplateValues(firstName: "P\(number) <&>", lastName: number == 2 ? "Ü" : nil),
                    isContactDeleted: false
                )
            },
            state: .claimed,
            claimedAt: .now
        )
    }

    @Test func whatIsWrittenIsTheContract() throws {
        let batch = self.batch(html: "<p>{{first_name}}</p>")
        let writer = try MessageWriter(batch.letter)
        let bodies = MessageWriter.bodies(batch.messages.compactMap(writer.json(of:)), of: batch, limit: 1 << 20)
        let decoded = try JSONCoding.decode(SendBatch.self, from: try #require(bodies.first))
        #expect(bodies.count == 1)
        #expect(decoded.organizationID == 4)
        #expect(decoded.integrationID == 8)
        #expect(decoded.messages.map(\.sendKey) == ["key1", "key2", "key3"])
        #expect(
            decoded.messages[1]
                == EmailMessage(
                    sendKey: "key2",
                    toAddress: "p2@x.example",
                    toName: "P2 <&> Ü",
                    fromAddress: "news@x.example",
                    fromName: "News \"daily\"",
                    subject: "Hi P2 <&>",
                    html: "<p>P2 &lt;&amp;&gt;</p>",
                    text: "Hi P2 <&>"
                )
        )
    }

    @Test func largeBatchesAreSplitAndNothingIsLost() throws {
        let batch = self.batch(text: String(repeating: "x", count: 1000), count: 10)
        let writer = try MessageWriter(batch.letter)
        let bodies = MessageWriter.bodies(batch.messages.compactMap(writer.json(of:)), of: batch, limit: 4000)
        let keys = try bodies.flatMap { try JSONCoding.decode(SendBatch.self, from: $0).messages.map(\.sendKey) }
        #expect(bodies.allSatisfy { $0.count <= 4000 })
        #expect(bodies.count > 1)
        #expect(keys == batch.messages.map(\.sendKey))
    }

    @Test func aMessageLargerThanTheLimitGoesAlone() throws {
        let batch = self.batch(text: String(repeating: "x", count: 1000), count: 2)
        let writer = try MessageWriter(batch.letter)
        #expect(MessageWriter.bodies(batch.messages.compactMap(writer.json(of:)), of: batch, limit: 10).count == 2)
        #expect(MessageWriter.bodies([], of: batch, limit: 10).isEmpty)
    }

    @Test func linesAreReadAcrossChunks() throws {
        var lines = OutcomeLines()
        let text = Array("{\"send_key\":\"a\",\"outcome\":\"accepted\"}\n\n{\"send_key\":\"b\",\"outcome\":\"in_doubt\"}\n".utf8)
        var keys: [String] = []
        for byte in text { keys += try lines.push([byte]).map(\.sendKey) }
        #expect(keys == ["a", "b"])
        #expect(throws: OutcomeLines.Malformed.self) { _ = try lines.push(Array("<html>\n".utf8)) }
    }

    @Test func repeatedAndUnknownLinesArePassedOver() {
        let batch = self.batch()
        let progress = BatchProgress(batch.messages, from: .claimed, rules: SettlementRules(attemptLimit: 3))
        progress.take(SendOutcome(sendKey: "key1", outcome: .accepted))
        progress.take(SendOutcome(sendKey: "key1", outcome: .rejected))
        progress.take(SendOutcome(sendKey: "stranger", outcome: .accepted))
        #expect(progress.drain().map(\.state) == [.accepted])
        #expect(progress.drain().isEmpty)
        #expect(progress.openKeys == ["key2", "key3"])
    }

    @Test func batchesFollowTheRateOfTheIntegration() {
        let sizer = BatchSizer(limit: 250)
        var letter = self.batch().letter
        #expect(sizer.limit(for: letter) == 100)
        sizer.record(100, in: .seconds(10), for: letter.integrationID)
        #expect(sizer.limit(for: letter) == 30)
        for _ in 1...20 { sizer.record(1000, in: .seconds(1), for: letter.integrationID) }
        #expect(sizer.limit(for: letter) == 250)
        letter.html = String(repeating: "x", count: 1 << 20)
        #expect(sizer.limit(for: letter) == 15)
    }
}
