import Models
import Synchronization

@testable import Transport

/// A mail server that follows a script: one answer for each command, a hang or a cut where the test wants it.
final class SMTPScript: Sendable {
    enum Act: Sendable {
        case reply(String)
        /// Says nothing more until the client goes.
        case hang
        /// Closes at once.
        case cut
    }

    struct Message: Sendable, Equatable {
        var from: String
        var recipient: String
        var body: String
    }

    struct Plan: Sendable {
        var greeting = Act.reply("220 test ready")
        var extensions = ["PIPELINING", "SIZE 1000000", "8BITMIME"]
        var authentication: Act?
        /// The answer to a command, by its text and how often MAIL was said on this server before; nil for the usual one.
        var answer: @Sendable (String, Int) -> Act? = { _, _ in nil }
        /// Right after DATA was answered by 354, before anything of the message is read.
        var duringMessage: Act?
    }

    /// What came in over all connections.
    final class Record: Sendable {
        let log = Mutex<[String]>([])
        let messages = Mutex<[Message]>([])
        let mails = Mutex(0)
    }

    let record = Record()
    private let server: ScriptedServer

    init(_ plan: Plan = Plan()) throws {
        let record = self.record
        self.server = try ScriptedServer { peer, _ in Conversation(peer: peer, plan: plan, record: record).run() }
    }

    var port: UInt16 { self.server.port }
    var connections: Int { self.server.connections }
    var messages: [Message] { self.record.messages.withLock { $0 } }
    var log: [String] { self.record.log.withLock { $0 } }

    func stop() { self.server.stop() }

    func smtp(_ security: SMTPServer.Security = .none, username: String? = nil) -> SMTPServer {
        SMTPServer(
            host: "127.0.0.1",
            port: self.port,
            security: security,
            username: username,
            password: username.map { _ in Secret("pass word%") },
            clientName: "client.example"
        )
    }
}

private struct Conversation {
    let peer: Peer
    let plan: SMTPScript.Plan
    let record: SMTPScript.Record

    func run() {
        guard self.act(self.plan.greeting) else { return }
        var from = ""
        var recipient = ""
        while let line = self.peer.readLine() {
            self.record.log.withLock { $0.append(line) }
            let verb = line.prefix(4).uppercased()
            let mails = self.record.mails.withLock { mails in
                if verb == "MAIL" { mails += 1 }
                return mails
            }
            if let act = self.plan.answer(line, mails) {
                guard self.act(act) else { return }
                continue
            }
            switch verb {
            case "EHLO":
                let lines = ["test"] + self.plan.extensions
                for (index, text) in lines.enumerated() { self.peer.write("250\(index == lines.count - 1 ? " " : "-")\(text)\r\n") }
            case "AUTH":
                guard self.act(self.plan.authentication ?? .reply("235 2.7.0 fine")) else { return }
            case "MAIL":
                from = Self.address(line)
                self.peer.write("250 2.1.0 sender fine\r\n")
            case "RCPT":
                recipient = Self.address(line)
                self.peer.write("250 2.1.5 recipient fine\r\n")
            case "DATA":
                self.peer.write("354 go on\r\n")
                if let act = self.plan.duringMessage { guard self.act(act) else { return } }
                guard let body = self.readMessage() else { return }
                if let act = self.plan.answer(".", mails) {
                    guard self.act(act) else { return }
                    continue
                }
                self.record.messages.withLock { $0.append(.init(from: from, recipient: recipient, body: body)) }
                self.peer.write("250 2.0.0 queued as \(recipient)\r\n")
            case "RSET", "NOOP":
                self.peer.write("250 fine\r\n")
            case "QUIT":
                self.peer.write("221 bye\r\n")
                return
            default:
                self.peer.write("500 what\r\n")
            }
        }
    }

    /// False when the conversation is over.
    private func act(_ act: SMTPScript.Act) -> Bool {
        switch act {
        case .reply(let text): return self.peer.write(text + "\r\n")
        case .hang:
            self.peer.readToEnd()
            return false
        case .cut: return false
        }
    }

    private static func address(_ line: String) -> String {
        String(line.drop { $0 != "<" }.dropFirst().prefix { $0 != ">" })
    }

    private func readMessage() -> String? {
        var lines: [String] = []
        while let line = self.peer.readLine() {
            if line == "." { return lines.joined(separator: "\r\n") }
            lines.append(line.hasPrefix(".") ? String(line.dropFirst()) : line)
        }
        return nil
    }
}
