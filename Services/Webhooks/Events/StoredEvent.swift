import Database
import Foundation
import Hummingbird
import Models
import ServiceKit

/// An event of the log with what the log says of it.
struct StoredEvent: RowDecodable, Sendable {
    var event: Event
    var receivedAt: Date
    /// Why it is kept back from subscribers; nil for the others.
    var quarantine: String?

    init(row: Row) throws {
        self.event = try Event(row: row)
        self.receivedAt = try row.get("received_at")
        self.quarantine = try row.get("quarantine")
    }
}

extension CallerContext {
    /// The `{event_id}` of a path.
    /// - Throws: 404 where it cannot be one.
    func eventID() throws(Problem) -> String {
        guard let id = self.parameters.get("event_id"), EventCheck.isWellFormed(id: id) else { throw Problem.notFound }
        return id
    }
}
