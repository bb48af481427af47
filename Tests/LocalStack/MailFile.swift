import Foundation

/// What the mail sink wrote down: every message with its envelope.
package struct MailFile: Codable, Sendable {
    package let path: String

    /// Messages per recipient whose text holds `mark` (a line that every message of one campaign carries).
    package func messages(marked mark: String) throws -> [String: Int] {
        let data = try Data(contentsOf: URL(filePath: self.path), options: .mappedIfSafe)
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
