import Encryption
import Foundation
import Models

/// A message as RFC 5322 wants it on the wire: CRLF line ends, ASCII, no line beyond 998 octets.
struct MailMessage: Sendable {
    let from: String
    let recipient: String
    /// `<send_key@from-domain>`: the same for every try, so that even a double from outside can be known.
    let messageID: String
    let bytes: [UInt8]

    /// Quoted-printable never writes `=_`, so no part can hold the boundary.
    private static let boundary = "=_switchboard_alternative"

    /// - Throws: ``MailFault``.
    init(_ message: EmailMessage, date: Date = Date()) throws {
        let from = try MailAddress(message.fromAddress, "sender")
        let recipient = try MailAddress(message.toAddress, "recipient")
        let replyTo = try message.replyTo.map { try MailAddress($0, "reply") }
        let messageID = "<\(try Self.localPart(of: message.sendKey))@\(from.domain)>"

        var head = MailHeader.mailbox("From", from, displayName: message.fromName)
        head += MailHeader.mailbox("To", recipient, displayName: message.toName)
        if let replyTo { head += MailHeader.mailbox("Reply-To", replyTo, displayName: nil) }
        head += MailHeader.unstructured("Subject", message.subject)
        head += MailHeader.date(date)
        head += "Message-ID: \(messageID)\r\nMIME-Version: 1.0\r\n"
        self.from = from.text
        self.recipient = recipient.text
        self.messageID = messageID
        self.bytes = Array(head.utf8) + (try Self.body(of: message))
    }

    private static func body(of message: EmailMessage) throws -> [UInt8] {
        switch (message.text, message.html) {
        case (let text?, let html?):
            var bytes = Array("Content-Type: multipart/alternative; boundary=\"\(boundary)\"\r\n\r\n".utf8)
            for (subtype, content) in [("plain", text), ("html", html)] {
                bytes += "--\(boundary)\r\n".utf8
                bytes += part(subtype, content)
                bytes += "\r\n".utf8
            }
            return bytes + "--\(boundary)--\r\n".utf8
        case (let text?, nil): return part("plain", text)
        case (nil, let html?): return part("html", html)
        case (nil, nil): throw MailFault("The message has no body.")
        }
    }

    private static func part(_ subtype: String, _ content: String) -> [UInt8] {
        var bytes = Array(
            "Content-Type: text/\(subtype); charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".utf8
        )
        bytes += QuotedPrintable.encode(content)
        if !bytes.suffix(2).elementsEqual([0x0D, 0x0A]) { bytes += [0x0D, 0x0A] }
        return bytes
    }

    /// The send key itself where it can stand in a Message-ID, else its digest.
    private static func localPart(of sendKey: String) throws -> String {
        let isPlain =
            (1...100).contains(sendKey.utf8.count)
            && sendKey.utf8.allSatisfy { MailAddress.isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        return isPlain ? sendKey : Hex.encode(try SHA256.digest(Array(sendKey.utf8)))
    }
}
