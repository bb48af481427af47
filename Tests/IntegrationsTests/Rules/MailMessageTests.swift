import Foundation
import Models
import Testing

@testable import Integrations

@Suite struct MailMessageTests {
    private static let date = Date(timeIntervalSince1970: 1_795_392_000)  // 2026-11-23 00:00:00 UTC

    private func message(_ change: (inout EmailMessage) -> Void = { _ in }) -> EmailMessage {
        var message = EmailMessage(
            sendKey: "k1",
            toAddress: "ada@example.org",
            fromAddress: "news@Example.com",
            subject: "Hello",
            text: "Hi"
        )
        change(&message)
        return message
    }

    private func lines(_ message: EmailMessage) throws -> [String] {
        String(decoding: try MailMessage(message, date: Self.date).bytes, as: UTF8.self).components(separatedBy: "\r\n")
    }

    @Test func aPlainMessageIsWrittenExactly() throws {
        let text = String(decoding: try MailMessage(self.message(), date: Self.date).bytes, as: UTF8.self)
        #expect(
            text == """
                From: <news@Example.com>\r
                To: <ada@example.org>\r
                Subject: Hello\r
                Date: Mon, 23 Nov 2026 00:00:00 +0000\r
                Message-ID: <k1@example.com>\r
                MIME-Version: 1.0\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Transfer-Encoding: quoted-printable\r
                \r
                Hi\r

                """
        )
    }

    @Test(arguments: ["a\r\nBcc: evil@example.net", "a\nBcc: x", "a\rBcc: x", "a\u{0}b", "a\u{85}Bcc: x", "a\u{2028}Bcc: x"])
    func noValueBeginsAnotherHeader(_ hostile: String) throws {
        let lines = try self.lines(
            self.message {
                $0.subject = hostile
                $0.toName = hostile
                $0.fromName = hostile
            }
        )
        let head = lines.prefix { !$0.isEmpty }
        let names = head.filter { !$0.hasPrefix(" ") }.compactMap { $0.split(separator: ":").first.map(String.init) }
        #expect(
            names == [
                "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
            ]
        )
    }

    @Test(arguments: [
        "a@b\r\nRCPT TO:<x@y>", "a b@example.com", "<a@example.com>", "a@", "@b", "a@@b", "a@b..c", ".a@b.c", "jürgen@example.com",
        "a@münchen.de", "a@b.c>", "\"a b\"@example.com", String(repeating: "a", count: 65) + "@example.com",
    ])
    func anAddressThatIsNoneIsRefused(_ address: String) {
        #expect(throws: MailFault.self) { try MailMessage(self.message { $0.toAddress = address }) }
        #expect(throws: MailFault.self) { try MailMessage(self.message { $0.fromAddress = address }) }
        #expect(throws: MailFault.self) { try MailMessage(self.message { $0.replyTo = address }) }
    }

    @Test func noLineIsTooLong() throws {
        let long = String(repeating: "ü x=?", count: 400) + String(repeating: "y", count: 3000)
        let lines = try self.lines(
            self.message {
                $0.subject = long
                $0.fromName = long
                $0.html = "<p>\(long)</p>"
                $0.text = long
            }
        )
        #expect(lines.allSatisfy { $0.utf8.count <= 78 })
        #expect(lines.allSatisfy { $0.utf8.allSatisfy { $0 < 0x80 } })
    }

    @Test func boundaryCannotStandInAPart() throws {
        let lines = try self.lines(
            self.message {
                $0.html = "--=_switchboard_alternative--"
                $0.text = "--=_switchboard_alternative"
            }
        )
        #expect(lines.filter { $0.hasPrefix("--=_switchboard_alternative") }.count == 3)
    }

    @Test(arguments: [
        ("a=b", "a=3Db"), ("trailing \nx", "trailing=20\r\nx"), ("tab\t", "tab=09"), ("é", "=C3=A9"), ("a\r\nb\rc\nd", "a\r\nb\r\nc\r\nd"),
        (String(repeating: "x", count: 76), String(repeating: "x", count: 76)),
        (String(repeating: "x", count: 77), String(repeating: "x", count: 75) + "=\r\nxx"),
    ])
    func quotedPrintableIsExact(_ text: String, _ encoded: String) {
        #expect(String(decoding: QuotedPrintable.encode(text), as: UTF8.self) == encoded)
    }

    @Test func aSendKeyThatFitsNoMessageIDIsHashed() throws {
        let first = try MailMessage(self.message { $0.sendKey = "campaign:1>contact@5" })
        let again = try MailMessage(self.message { $0.sendKey = "campaign:1>contact@5" })
        #expect(first.messageID == again.messageID)
        #expect(first.messageID.wholeMatch(of: #/<[0-9a-f]{64}@example\.com>/#) != nil)
    }

    /// Another implementation reads back what was meant. Where there is no python3 the golden tests above stand alone.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3")))
    func pythonReadsWhatWasMeant() throws {
        let message = self.message {
            $0.toName = "Łukasz \"Luke\" O'Neil, PhD"
            $0.fromName = "Plain Name Ltd."
            $0.subject = "Grüße 👋🏽 = ?=  zwei  Leerzeichen " + String(repeating: "und weiter ", count: 30) + "Ende"
            $0.text = "Zeile 1\n.\n..dot\nFrom here\nTrailing  \n\tTab\t\n" + String(repeating: "längere Zeile ", count: 50)
            $0.html = "<p style=\"color:red\">Grüße = 100 %</p>\n"
        }
        let script = """
            import sys, email, json
            from email import policy
            m = email.message_from_bytes(sys.stdin.buffer.read(), policy=policy.default)
            parts = {p.get_content_type(): p.get_content() for p in m.walk() if not p.is_multipart()}
            print(json.dumps({"subject": m["subject"], "to": m["to"].addresses[0].display_name, "from": m["from"].addresses[0].display_name,
                "address": m["to"].addresses[0].addr_spec, "text": parts["text/plain"], "html": parts["text/html"],
                "defects": len(m.defects)}))
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", script]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(try MailMessage(message, date: Self.date).bytes))
        try input.fileHandleForWriting.close()
        let read = try JSONValue(parsing: try #require(try output.fileHandleForReading.readToEnd()))
        process.waitUntilExit()
        #expect(read["subject"]?.stringValue == MailHeader.singleLine(message.subject))
        #expect(read["to"]?.stringValue == message.toName)
        #expect(read["from"]?.stringValue == message.fromName)
        #expect(read["address"]?.stringValue == message.toAddress)
        #expect(Self.normalised(read["text"]?.stringValue) == Self.normalised(message.text))
        #expect(Self.normalised(read["html"]?.stringValue) == Self.normalised(message.html))
        #expect(read["defects"]?.integerValue == 0)
    }

    /// Mail has CRLF where the message had LF, and ends with one.
    private static func normalised(_ text: String?) -> String? {
        text?.replacing("\r\n", with: "\n").trimmingCharacters(in: .newlines)
    }
}
