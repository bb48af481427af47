package import Database
import Synchronization

/// Tells a loop that there may be work: in-process, and by a coalesced NOTIFY to the other replicas.
package final class WakeSignal: Sendable {
    /// The NOTIFY channel, to be sent inside a transaction where the work is made.
    package let channel: String
    let database: Postgres
    private let listeners = Mutex<[ObjectIdentifier: @Sendable () -> Void]>([:])

    package init(_ name: String, database: Postgres) {
        self.channel = "switchboard_\(name)"
        self.database = database
        WakeBridge.of(database).add(self)
    }

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

/// Brings the NOTIFYs of one database to the signals of this process over a single subscription. The first running loop carries it;
/// when that loop ends, another one takes over.
final class WakeBridge: Sendable {
    private struct State {
        var signals: [String: [WeakSignal]] = [:]
        var isCarried = false
        var waiting: [Gate] = []
        /// Opens when a channel is added: the subscription is made anew.
        var changed = Gate()
    }

    private struct WeakSignal { weak var signal: WakeSignal? }

    private let state = Mutex(State())
    private static let bridges = Mutex<[ObjectIdentifier: (database: WeakDatabase, bridge: WakeBridge)]>([:])

    private final class WeakDatabase: Sendable {
        // Written once, before it is shared; weak references are read atomically by the runtime.
        nonisolated(unsafe) weak var value: Postgres?
        init(_ value: Postgres) { self.value = value }
    }

    static func of(_ database: Postgres) -> WakeBridge {
        self.bridges.withLock { bridges in
            bridges = bridges.filter { $0.value.database.value != nil }
            if let known = bridges[ObjectIdentifier(database)] { return known.bridge }
            let bridge = WakeBridge()
            bridges[ObjectIdentifier(database)] = (WeakDatabase(database), bridge)
            return bridge
        }
    }

    func add(_ signal: WakeSignal) {
        let changed: Gate? = self.state.withLock { state in
            let isNew = state.signals[signal.channel] == nil
            state.signals[signal.channel, default: []].removeAll { $0.signal == nil }
            state.signals[signal.channel, default: []].append(WeakSignal(signal: signal))
            return isNew ? state.changed : nil
        }
        changed?.open()
    }

    /// Carries the subscription until cancelled, or waits for the turn to do so.
    func carry(_ database: Postgres) async throws {
        try await self.takeTurn()
        defer { self.endTurn() }
        while !Task.isCancelled {
            let (channels, changed) = self.state.withLock { state in
                state.changed = Gate()
                return (Array(state.signals.keys), state.changed)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await self.listen(database, channels) }
                group.addTask { try await changed.wait() }
                try await group.next()
                group.cancelAll()
            }
            // The stream ends by itself only when the database is shut down: do not spin until the loop is told so, too.
            if !changed.isOpen { try await changed.wait() }
        }
    }

    private func listen(_ database: Postgres, _ channels: [String]) async {
        for await notification in database.listen(channels) {
            switch notification {
            case .received(let channel, _): self.wake(channel)
            case .reconnected: for channel in channels { self.wake(channel) }
            }
        }
    }

    private func wake(_ channel: String) {
        let signals = self.state.withLock { $0.signals[channel, default: []].compactMap(\.signal) }
        for signal in signals { signal.wakeHere() }
    }

    private func takeTurn() async throws {
        while true {
            let turn: Gate? = self.state.withLock { state in
                guard state.isCarried else {
                    state.isCarried = true
                    return nil
                }
                let turn = Gate()
                state.waiting.append(turn)
                return turn
            }
            guard let turn else { return }
            try await turn.wait()
        }
    }

    private func endTurn() {
        let waiting = self.state.withLock { state in
            state.isCarried = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for turn in waiting { turn.open() }
    }
}
