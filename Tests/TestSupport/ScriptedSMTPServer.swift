import Foundation
import Glibc
import Synchronization

/// A mail server that does as its recipients' local parts say: `550-…`, `450-…` (at RCPT), `data554-…` and `hang-…` (after the final dot),
/// anything else is taken. Threads and blocking sockets: what is tested is the client.
package final class ScriptedSMTPServer: Sendable {
    package struct Mail: Sendable {
        package var recipient: String
        package var data: String
    }

    private struct State {
        var taken: [Mail] = []
        var reached: [String] = []
        var connections: Set<Int32> = []
        var isHeld = false
        var isOver = false
    }

    private let state = Mutex(State())
    private let listener = Mutex<LoopbackListener?>(nil)

    package init() throws {
        let listener = try LoopbackListener { [weak self] connection in
            guard let self else {
                close(connection)
                return
            }
            self.state.withLock { _ = $0.connections.insert(connection) }
            Thread.detachNewThread { self.serve(connection) }
        }
        self.listener.withLock { $0 = listener }
    }

    package var port: Int { self.listener.withLock { Int($0?.port ?? 0) } }

    /// Recipients whose mail was answered with 250, in order.
    package var taken: [String] { self.state.withLock { $0.taken.map(\.recipient) } }
    package var mails: [Mail] { self.state.withLock { $0.taken } }
    /// Recipients whose mail came up to the final dot.
    package var reached: [String] { self.state.withLock { $0.reached } }

    /// While held, mail waits at the final dot.
    package func hold(_ isHeld: Bool) { self.state.withLock { $0.isHeld = isHeld } }

    package func stop() {
        self.listener.withLock { $0?.stop() }
        self.state.withLock { state in
            state.isOver = true
            // Only those that are open: a closed one's number may be another socket's by now.
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    private func serve(_ connection: Int32) {
        defer {
            self.state.withLock { state in
                state.connections.remove(connection)
                close(connection)
            }
        }
        var buffer: [UInt8] = []
        var recipient = ""
        self.reply(connection, "220 test")
        while let line = self.line(connection, &buffer) {
            let command = line.uppercased()
            if command.hasPrefix("EHLO") {
                self.reply(connection, "250-test\r\n250 8BITMIME")
            } else if command.hasPrefix("RCPT") {
                recipient = String(line.split(separator: "<").last?.prefix { $0 != ">" } ?? "")
                self.reply(
                    connection,
                    recipient.hasPrefix("550") || recipient.hasPrefix("450") ? "\(recipient.prefix(3)) 5.1.1 no" : "250 ok"
                )
            } else if command == "DATA" {
                self.reply(connection, "354 go on")
                guard self.data(connection, &buffer, recipient) else { return }
            } else if command == "QUIT" {
                return self.reply(connection, "221 bye")
            } else {
                self.reply(connection, "250 ok")
            }
        }
    }

    private func data(_ connection: Int32, _ buffer: inout [UInt8], _ recipient: String) -> Bool {
        var lines: [String] = []
        while let line = self.line(connection, &buffer), line != "." { lines.append(line) }
        self.state.withLock { $0.reached.append(recipient) }
        // A held mail waits here; the thread has nothing else to do.
        while self.state.withLock({ ($0.isHeld || recipient.hasPrefix("hang")) && !$0.isOver }) { usleep(2000) }
        guard !self.state.withLock({ $0.isOver }) else { return false }
        if recipient.hasPrefix("data554") {
            self.reply(connection, "554 5.7.1 spam")
        } else {
            self.state.withLock { $0.taken.append(Mail(recipient: recipient, data: lines.joined(separator: "\r\n"))) }
            self.reply(connection, "250 2.0.0 queued")
        }
        return true
    }

    private func reply(_ connection: Int32, _ text: String) {
        let bytes = Array((text + "\r\n").utf8)
        _ = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    private func line(_ connection: Int32, _ buffer: inout [UInt8]) -> String? {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let line = buffer[..<end]
                buffer.removeSubrange(...end)
                return String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
            }
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }
}

package func withMailServer<T: Sendable>(_ body: (ScriptedSMTPServer) async throws -> T) async throws -> T {
    let server = try ScriptedSMTPServer()
    defer { server.stop() }
    return try await body(server)
}
