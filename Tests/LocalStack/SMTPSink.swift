import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// postfix's smtp-sink: a real SMTP server that accepts everything and writes it down.
package final class SMTPSink: Sendable {
    package let port: Int
    package let file: String
    private let process: ChildProcess

    private init(port: Int, file: String, process: ChildProcess) {
        self.port = port
        self.file = file
        self.process = process
    }

    /// - file: every message is appended to it, with its envelope.
    package static func start(tools: String, root: String, port: Int, file: String, log: String) async throws -> SMTPSink {
        let command = try await ChildProcess.run("\(root)/compose/local/smtp-sink.sh", [tools])
            .trimmingCharacters(in: .whitespacesAndNewlines)
        _ = FileManager.default.createFile(atPath: file, contents: nil)
        let process = try ChildProcess(
            name: "smtp-sink",
            executable: command,
            // It refuses to run as root unless told which user it may be; as root the folder may be root's alone.
            arguments: (getuid() == 0 ? ["-u", "root"] : []) + ["-D", file, "127.0.0.1:\(port)", "1000"],
            environment: ProcessInfo.processInfo.environment,
            output: log
        )
        try await LocalWait.port(port, of: process)
        return SMTPSink(port: port, file: file, process: process)
    }

    package func stop() async { await self.process.stop(grace: .seconds(3)) }

    /// Messages per recipient whose text holds `mark` (a line that every message of one campaign carries).
    package func messages(marked mark: String) throws -> [String: Int] {
        let data = try Data(contentsOf: URL(filePath: self.file), options: .mappedIfSafe)
        var counts: [String: Int] = [:]
        var recipient: String?
        var isMarked = false
        func settle() {
            if let recipient, isMarked { counts[recipient, default: 0] += 1 }
            recipient = nil
            isMarked = false
        }
        let needle = Array(mark.utf8)
        for line in data.split(separator: UInt8(ascii: "\n")) {
            if line.starts(with: Self.clientHeader) {
                settle()
            } else if line.starts(with: Self.recipientHeader) {
                let text = String(decoding: line.dropFirst(Self.recipientHeader.count), as: UTF8.self)
                recipient = text.trimmingCharacters(in: CharacterSet(charactersIn: " <>\r"))
            } else if !isMarked, line.count >= needle.count, Self.contains(line, needle) {
                isMarked = true
            }
        }
        settle()
        return counts
    }

    /// smtp-sink heads every message of its dump with the client and the envelope.
    private static let clientHeader = Array("X-Client-Addr:".utf8)
    private static let recipientHeader = Array("X-Rcpt-Args:".utf8)

    private static func contains(_ line: Data, _ needle: [UInt8]) -> Bool {
        line.range(of: Data(needle)) != nil
    }
}
