import Foundation
import Models

/// A replay as the public API shows it.
struct ReplayJob: Sendable {
    static let path = "/api/v1/webhooks/replays"

    var id: Int64
    var state: String
    var total: Int
    var lookedAt: Int
    var made: Int
    /// What became of its deliveries.
    var waiting: Int
    var succeeded: Int
    var dead: Int

    private init(_ body: JSONValue) {
        func count(_ name: String, of value: JSONValue?) -> Int { Int(value?[name]?.integerValue ?? 0) }
        self.id = body["id"]?.integerValue ?? 0
        self.state = body["state"]?.stringValue ?? ""
        self.total = count("total", of: body)
        self.lookedAt = count("looked_at", of: body)
        self.made = count("made", of: body)
        self.waiting = count("waiting", of: body["deliveries"])
        self.succeeded = count("succeeded", of: body["deliveries"])
        self.dead = count("dead", of: body["deliveries"])
    }

    /// Everything is made and settled.
    var isThrough: Bool { self.state == "finished" && self.waiting == 0 }

    /// Of what has not been delivered in a time, as fast as may be.
    static func create(_ api: PublicAPI, subscription: Int64, from: Date, to: Date) async throws -> ReplayJob {
        let body: JSONValue = [
            "subscription_id": .integer(subscription), "from": .string(Timestamp.format(from)), "to": .string(Timestamp.format(to)),
            "which": "undelivered", "rate": 5000,
        ]
        return ReplayJob(try await api.call(.post, Self.path, body))
    }

    /// - Returns: nil while the service is away.
    static func find(_ id: Int64, _ api: PublicAPI) async throws -> ReplayJob? {
        do {
            return ReplayJob(try await api.call(.get, "\(Self.path)/\(id)"))
        } catch let refusal as PublicAPI.Refusal where refusal.status >= 500 {
            return nil
        }
    }
}
