import Foundation
import HTTPTypes
import Models
import Testing
import Transport

@testable import Integrations

@Suite struct OutcomeTests {
    @Test(arguments: [
        (250, SendResult.Outcome.accepted, false), (421, .notSent, true), (450, .notSent, false), (451, .notSent, false),
        (452, .notSent, false), (530, .notSent, true), (535, .notSent, true), (550, .rejected, false), (554, .rejected, false),
        (354, .inDoubt, false), (199, .inDoubt, false),
    ])
    func anSMTPReplySettlesTheMessage(_ code: Int, _ outcome: SendResult.Outcome, _ halts: Bool) {
        let reply = TestReplies.smtp(code, "words")
        let result = SMTPOutcome.result(of: reply, messageID: "<k@d>", hiding: [])
        #expect(result.outcome == outcome)
        #expect(result.halts == halts)
        #expect((result.retryAfter != nil) == (outcome == .notSent))
        #expect(result.providerMessageID == (outcome == .accepted ? "<k@d>" : nil))
    }

    @Test func aRefusedSenderIsNoFaultOfTheRecipient() {
        let result = SMTPOutcome.result(of: TestReplies.smtp(550, "no", at: .sender), messageID: "<k@d>", hiding: [])
        #expect(result.outcome == .notSent)
        #expect(result.halts)
    }

    @Test(arguments: [
        (202, SendResult.Outcome.accepted, false, false), (200, .accepted, false, false), (400, .rejected, false, false),
        (413, .rejected, false, false), (401, .notSent, true, true), (403, .notSent, true, true), (404, .notSent, true, false),
        (429, .notSent, true, false), (500, .inDoubt, false, false), (502, .inDoubt, false, false), (503, .notSent, true, false),
        (504, .inDoubt, false, false), (408, .inDoubt, false, false), (302, .inDoubt, false, false),
    ])
    func aSendGridAnswerSettlesTheMessage(_ status: Int, _ outcome: SendResult.Outcome, _ halts: Bool, _ unauthorized: Bool) throws {
        var head = HTTPResponse(status: .init(code: status))
        head.headerFields[try #require(HTTPField.Name("X-Message-Id"))] = "m-1"
        let result = SendGridAnswer(head, Array("<html>nginx</html>".utf8)).result(hiding: Secret("SG.key"))
        #expect(result.outcome == outcome)
        #expect(result.halts == halts)
        #expect(result.isUnauthorized == unauthorized)
        #expect(result.providerMessageID == (outcome == .accepted ? "m-1" : nil))
    }

    @Test func sendGridsResetTimeIsKept() throws {
        var head = HTTPResponse(status: .init(code: 429))
        head.headerFields[try #require(HTTPField.Name("X-RateLimit-Reset"))] = "1000030"
        let result = SendGridAnswer(head, []).result(hiding: Secret(""), now: Date(timeIntervalSince1970: 1_000_000))
        #expect(result.retryAfter == 30)
    }

    @Test func noSecretGetsIntoADetail() {
        let body = Array(#"{"errors":[{"message":"key SG.verysecret is bad\u0007\n","field":"auth"}]}"#.utf8)
        let answer = SendGridAnswer(HTTPResponse(status: .init(code: 401)), body)
        #expect(answer.detail(hiding: Secret("SG.verysecret")) == "SendGrid answered 401: auth: key *** is bad")
    }

    @Test(arguments: [
        (TransportError.Kind.resolve, true, SendResult.Outcome.notSent, true), (.connect, true, .notSent, true),
        (.tls, true, .notSent, true), (.connectionLost, true, .notSent, false), (.refusedAddress, true, .notSent, true),
        (.connectionLost, false, .inDoubt, false), (.timedOut, false, .inDoubt, false), (.protocolError, false, .inDoubt, false),
        (.authentication, true, .notSent, true), (.shuttingDown, true, .notSent, true),
    ])
    func onlyWhatSurelyNeverLeftMayGoAgain(
        _ kind: TransportError.Kind,
        _ surelyNotSent: Bool,
        _ outcome: SendResult.Outcome,
        _ halts: Bool
    ) {
        let error = TransportError(kind: kind, surelyNotSent: surelyNotSent, detail: "words")
        let result = SendResult.transport(error, hiding: [])
        #expect(result.outcome == outcome)
        #expect(result.halts == halts)
    }

    @Test func aSendGridBodyHidesRecipientsFromEachOther() {
        let body = SendGridMail.body(
            of: EmailMessage(
                sendKey: "k1",
                toAddress: "a@b.c",
                toName: "Doe, Jane; x\r\ny",
                fromAddress: "n@d.e",
                replyTo: "r@d.e",
                subject: "S\r\nBcc: x",
                html: "<p>",
                text: "t"
            )
        )
        #expect(
            body == [
                "personalizations": [["to": [["email": "a@b.c", "name": "Doe Jane x  y"]], "custom_args": ["send_key": "k1"]]],
                "from": ["email": "n@d.e"], "reply_to": ["email": "r@d.e"], "subject": "S  Bcc: x",
                "content": [["type": "text/plain", "value": "t"], ["type": "text/html", "value": "<p>"]],
            ]
        )
    }
}
