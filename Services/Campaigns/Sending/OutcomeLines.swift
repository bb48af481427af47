import Foundation
import Models

/// Splits a stream into lines of NDJSON and reads each as a ``SendOutcome``.
struct OutcomeLines {
    struct Malformed: Error {}

    /// Bytes of a line: an outcome is far shorter.
    private static let lineLimit = 64 << 10

    private var rest: [UInt8] = []
    private let decoder = JSONCoding.decoder()

    init() {}

    /// - Throws: ``Malformed`` for what is not an outcome: the peer is not one of ours, or the stream is damaged.
    mutating func push(_ chunk: [UInt8]) throws -> [SendOutcome] {
        var outcomes: [SendOutcome] = []
        var start = chunk.startIndex
        while let end = chunk[start...].firstIndex(of: UInt8(ascii: "\n")) {
            self.rest.append(contentsOf: chunk[start..<end])
            if !self.rest.isEmpty { outcomes.append(try self.outcome()) }
            self.rest.removeAll(keepingCapacity: true)
            start = end + 1
        }
        self.rest.append(contentsOf: chunk[start...])
        guard self.rest.count <= Self.lineLimit else { throw Malformed() }
        return outcomes
    }

    private func outcome() throws -> SendOutcome {
        do {
            return try self.decoder.decode(SendOutcome.self, from: Data(self.rest))
        } catch is DecodingError {
            throw Malformed()
        }
    }
}
