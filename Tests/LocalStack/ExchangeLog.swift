import Foundation
import Models
import Synchronization

/// Writes what the tests were answered, one JSON object a line, to the file that `RECORD_EXCHANGES` names: `Tests/APIDocument/check.py` holds it
/// against the API document. The file holds the tokens of test accounts; it is for its owner's eyes.
package final class ExchangeLog: Sendable {
    /// nil where nothing is to be recorded.
    package static let shared = ProcessInfo.processInfo.environment["RECORD_EXCHANGES"].flatMap { ExchangeLog(path: $0) }

    private let file: Mutex<FileHandle>

    private init?(path: String) {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        self.file = Mutex(FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
    }

    /// - headers: names in lower case.
    package func record(_ method: String, _ target: String, _ status: Int, headers: [String: String], body: [UInt8]) {
        guard target.hasPrefix("/api/v1/") else { return }
        let line: JSONValue = [
            "method": .string(method), "target": .string(target), "status": .integer(Int64(status)),
            "headers": .object(headers.mapValues { .string($0) }), "body": .string(String(decoding: body, as: UTF8.self)),
        ]
        self.file.withLock { $0.write(Data(line.serialized() + [UInt8(ascii: "\n")])) }
    }
}
