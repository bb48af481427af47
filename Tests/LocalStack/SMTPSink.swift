import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// postfix's smtp-sink: a real SMTP server that accepts everything and writes it down.
package final class SMTPSink: Sendable {
    package let mail: MailFile
    let process: ChildProcess

    private init(mail: MailFile, process: ChildProcess) {
        self.mail = mail
        self.process = process
    }

    /// Spawns it; it listens a moment later.
    /// - file: every message is appended to it, with its envelope.
    static func launch(tools: String, root: String, port: Int, file: String, log: String) async throws -> SMTPSink {
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
        return SMTPSink(mail: MailFile(path: file), process: process)
    }

    func stop() async { await self.process.stop(grace: .seconds(3)) }
}
