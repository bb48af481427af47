import Database
import Foundation
import Models

/// The attempts of a delivery, as its row keeps them: a JSON array, oldest first, at most ``kept`` of them.
enum AttemptHistory {
    /// As many as the longest retry schedule and a dozen restarts make.
    static let kept = 100

    /// A history of one attempt that is over, as JSON text: written for every delivery, so without a tree in between.
    static func entry(_ result: AttemptResult, number: Int) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(128 + (result.excerpt?.utf8.count ?? 0))
        text.append(contentsOf: "[{\"number\":\(number),\"started_at\":".utf8)
        JSONText.writeString(Timestamp.format(result.startedAt), into: &text)
        text.append(
            contentsOf: ",\"duration_ms\":\(result.milliseconds),\"status\":\(result.status.map(String.init) ?? "null"),\"error\":".utf8
        )
        self.write(result.failure?.rawValue, into: &text)
        text.append(contentsOf: ",\"excerpt\":".utf8)
        self.write(result.excerpt, into: &text)
        text.append(contentsOf: "}]".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    private static func write(_ value: String?, into text: inout [UInt8]) {
        if let value { JSONText.writeString(value, into: &text) } else { text.append(contentsOf: "null".utf8) }
    }

    /// SQL: the history of `delivery` with an attempt of which nobody saw the end.
    static func cutOff(at time: Query) -> Query {
        """
        CASE WHEN jsonb_array_length(coalesce(delivery.history, '[]')) >= \(Self.kept) THEN delivery.history - 0
            ELSE coalesce(delivery.history, '[]') END
            || jsonb_build_array(jsonb_build_object(
                'number', delivery.attempts, 'started_at', to_char((\(time)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'duration_ms', NULL, 'status', NULL, 'error', \(DeliveryFailure.interrupted.rawValue)::text, 'excerpt', NULL
            ))
        """
    }

    /// SQL: the history of `delivery` with `given.entry`, which takes the place of a record that it was cut off.
    static let appending: Query = """
        CASE
            WHEN delivery.history IS NULL THEN given.entry
            WHEN (delivery.history -> -1 ->> 'number')::integer = delivery.attempts THEN delivery.history - -1 || given.entry
            WHEN jsonb_array_length(delivery.history) >= \(Self.kept) THEN delivery.history - 0 || given.entry
            ELSE delivery.history || given.entry
        END
        """

    /// - Throws: where the column holds something else.
    static func attempts(_ history: JSONValue?) throws -> [Attempt] {
        try (history?.arrayValue ?? []).map { entry in
            guard let number = entry["number"]?.integerValue, let startedAt = entry["started_at"]?.stringValue.flatMap(Timestamp.parse)
            else {
                throw DatabaseAnswerMissing(statement: "attempt in a delivery's history")
            }
            return Attempt(
                number: Int(number),
                startedAt: startedAt,
                durationMilliseconds: entry["duration_ms"]?.integerValue.map(Int.init),
                status: entry["status"]?.integerValue.map(Int.init),
                error: entry["error"]?.stringValue,
                excerpt: entry["excerpt"]?.stringValue
            )
        }
    }
}
