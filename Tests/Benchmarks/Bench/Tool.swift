import Foundation
import Glibc

/// A command-line peer: pgbench, psql, wrk, openssl.
enum Tool {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// What it wrote to standard output.
    static func run(_ name: String, _ arguments: [String]) throws -> String {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [name] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try self.withSignalsUnblocked { try process.run() }
        // Errors are a few lines, far less than a pipe holds: reading them second cannot block.
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(description: "\(name) failed: \(complaint.suffix(500))") }
        return text
    }

    /// Dispatch blocks signals on its threads and a child inherits that; openssl and pgbench end their runs by SIGALRM.
    private static func withSignalsUnblocked(_ body: () throws -> Void) throws {
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    /// The number after `label` in a tool's report.
    static func number(after label: String, in text: String) throws -> Double {
        guard let range = text.range(of: label),
            let number = Double(text[range.upperBound...].drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber || $0 == "." })
        else { throw Failure(description: "no '\(label)' in: \(text.suffix(500))") }
        return number
    }
}
