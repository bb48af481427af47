import Database
import Foundation
import Models

/// The attempts of a delivery, as its row keeps them: a JSON array, oldest first, at most ``kept`` of them.
enum AttemptHistory {
    /// As many as the longest retry schedule and a dozen restarts make.
    static let kept = 100

    /// One attempt that is over.
    static func entry(_ result: AttemptResult, number: Int) -> JSONValue {
        [
            "number": .integer(Int64(number)), "started_at": .string(Timestamp.format(result.startedAt)),
            "duration_ms": .integer(result.milliseconds), "status": result.status.map { .integer(Int64($0)) } ?? .null,
            "error": result.failure.map { .string($0.rawValue) } ?? .null, "excerpt": result.excerpt.map(JSONValue.string) ?? .null,
        ]
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
            WHEN delivery.history IS NULL THEN '[]'::jsonb
            WHEN (delivery.history -> -1 ->> 'number')::integer = delivery.attempts THEN delivery.history - -1
            WHEN jsonb_array_length(delivery.history) >= \(Self.kept) THEN delivery.history - 0
            ELSE delivery.history
        END || given.entry
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
