package import Database
import Synchronization

/// Tells a loop that there may be work: in-process, and by a coalesced NOTIFY to the other replicas.
package final class WakeSignal: Sendable {
    /// The NOTIFY channel, to be sent inside a transaction where the work is made.
    package let channel: String
    let database: Postgres
    private let listeners = Mutex<[ObjectIdentifier: @Sendable () -> Void]>([:])

    package init(_ name: String, database: Postgres) {
        self.channel = Self.channel(name)
        self.database = database
    }

    /// The channel of a signal of that name.
    package static func channel(_ name: String) -> String { "switchboard_\(name)" }

    package func wake() {
        self.wakeHere()
        self.database.notify(self.channel)
    }

    /// Wakes the loops of this process only.
    package func wakeHere() {
        let listeners = self.listeners.withLock { Array($0.values) }
        for listener in listeners { listener() }
    }

    func add(_ owner: AnyObject, _ listener: @escaping @Sendable () -> Void) {
        self.listeners.withLock { $0[ObjectIdentifier(owner)] = listener }
    }

    func remove(_ owner: AnyObject) {
        _ = self.listeners.withLock { $0.removeValue(forKey: ObjectIdentifier(owner)) }
    }
}
