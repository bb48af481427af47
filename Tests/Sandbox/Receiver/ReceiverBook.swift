import Models
import Synchronization

/// All receivers; one comes into being when it is first named.
final class ReceiverBook: Sendable {
    private let receivers = Mutex<[String: Receiver]>([:])

    func update<Result: Sendable>(_ name: String, _ body: (inout sending Receiver) throws -> sending Result) rethrows -> Result {
        try self.receivers.withLock { try body(&$0[name, default: Receiver()]) }
    }

    func find(_ name: String) -> Receiver { self.receivers.withLock { $0[name] } ?? Receiver() }

    func remove(_ name: String) { _ = self.receivers.withLock { $0.removeValue(forKey: name) } }

    func reset() { self.receivers.withLock { $0 = [:] } }

    var summary: JSONValue { .object(self.receivers.withLock { $0.mapValues(\.json) }) }
}
