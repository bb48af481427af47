import CLibPQ
import Synchronization

package enum Notification: Sendable, Equatable {
    case received(channel: String, payload: String)
    /// Heard from now on; what was sent before, or while the consumer lagged, may have been missed.
    case reconnected
}

/// LISTEN on a connection and thread of its own, started by the first subscription.
final class Listener: Sendable {
    private struct Subscription {
        var channels: Set<String>
        var continuation: AsyncStream<Notification>.Continuation
        /// It has been told that it hears its channels.
        var isActive = false
        /// A `.reconnected` that tells of dropped notifications lies in its buffer.
        var isLossMarked = false

        /// When the consumer lags so far that the oldest are dropped, one `.reconnected` is kept in the buffer to say so.
        mutating func offer(_ notification: Notification) {
            switch self.continuation.yield(notification) {
            case .enqueued(let room):
                if room >= Listener.buffer - 1 { self.isLossMarked = false }
            case .dropped(let lost):
                if lost == .reconnected { self.isLossMarked = false }
                guard !self.isLossMarked else { return }
                self.isLossMarked = true
                // It takes the place of one more of the oldest, whose loss it tells as well.
                _ = self.continuation.yield(.reconnected)
            case .terminated: break
            @unknown default: break
            }
        }
    }

    private struct State {
        var isStopped = false
        var thread: NamedThread?
        var subscriptions: [Int: Subscription] = [:]
        var made = 0
    }

    /// Notifications that a slow consumer may leave unread; beyond, the oldest are dropped and `.reconnected` says so.
    static let buffer = 1024
    /// A silent connection is tried by a round trip this often.
    private static let heartbeat: Duration = .seconds(10)
    private static let patience: Duration = .seconds(5)

    private let configuration: DatabaseConfiguration
    private let health: ConnectionHealth
    private let waker = Waker()
    private let state = Mutex(State())

    init(_ configuration: DatabaseConfiguration, health: ConnectionHealth) {
        self.configuration = configuration
        self.health = health
    }

    func listen(_ channels: [String]) -> AsyncStream<Notification> {
        let (stream, continuation) = AsyncStream<Notification>.makeStream(bufferingPolicy: .bufferingNewest(Self.buffer))
        let number: Int? = self.state.withLock { state in
            guard !state.isStopped, self.waker.isValid else { return nil }
            if state.thread == nil {
                guard let thread = try? NamedThread.start("pg-listen", { self.run() }) else { return nil }
                state.thread = thread
            }
            state.made += 1
            state.subscriptions[state.made] = Subscription(channels: Set(channels), continuation: continuation)
            return state.made
        }
        // Without a thread, or after the end, the stream ends at once: its consumer falls back to polling.
        guard let number else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.remove(number) }
        self.waker.wake()
        return stream
    }

    private func remove(_ number: Int) {
        _ = self.state.withLock { $0.subscriptions.removeValue(forKey: number) }
        self.waker.wake()
    }

    /// Ends all streams.
    func stop() -> NamedThread? {
        let (thread, subscriptions) = self.state.withLock { state in
            state.isStopped = true
            defer { state.subscriptions = [:] }
            return (state.thread, Array(state.subscriptions.values))
        }
        for subscription in subscriptions { subscription.continuation.finish() }
        self.waker.wake()
        return thread
    }

    private var isStopped: Bool { self.state.withLock(\.isStopped) }

    // MARK: The thread.

    private func run() {
        var backoff = Backoff()
        while !self.isStopped {
            do throws(DatabaseError) {
                let connection = try Connection.open(self.parameters)
                self.health.connected()
                backoff.reset()
                self.state.withLock { state in for number in state.subscriptions.keys { state.subscriptions[number]?.isActive = false } }
                try self.serve(connection)
            } catch {
                if self.isStopped { return }
                self.health.failed(error)
                let end = Monotonic.now + backoff.next()
                while !self.isStopped, Monotonic.now < end { if self.waker.wait(until: end) { self.waker.drain() } }
            }
        }
    }

    private var parameters: ConnectionParameters {
        ConnectionParameters(
            url: self.configuration.url,
            schema: self.configuration.schema,
            applicationName: self.configuration.applicationName,
            settings: [("statement_timeout", String(Self.patience.milliseconds))]
        )
    }

    private func serve(_ connection: Connection) throws(DatabaseError) {
        var heard: Set<String> = []
        while !self.isStopped {
            try self.adjust(connection, &heard)
            self.deliver(connection)
            let ready = connection.wait(waker: self.waker, until: .now + Self.heartbeat)
            if ready.waker { self.waker.drain() }
            if ready.socket {
                guard connection.consume() else { throw DatabaseError(.unavailable, "the listening connection broke") }
            } else if !ready.waker {
                try self.execute("SELECT 1", on: connection)
            }
        }
    }

    /// Brings LISTEN and UNLISTEN in line with the subscriptions, then tells the new ones that they hear.
    private func adjust(_ connection: Connection, _ heard: inout Set<String>) throws(DatabaseError) {
        let (wanted, fresh) = self.state.withLock { state in
            (
                state.subscriptions.values.reduce(into: Set<String>()) { $0.formUnion($1.channels) },
                state.subscriptions.filter { !$0.value.isActive }.map(\.key)
            )
        }
        for channel in wanted.subtracting(heard) { try self.execute("LISTEN \(connection.quotedIdentifier(channel))", on: connection) }
        for channel in heard.subtracting(wanted) { try self.execute("UNLISTEN \(connection.quotedIdentifier(channel))", on: connection) }
        heard = wanted
        guard !fresh.isEmpty else { return }
        self.state.withLock { state in
            for number in fresh {
                state.subscriptions[number]?.isActive = true
                state.subscriptions[number]?.offer(.reconnected)
            }
        }
    }

    private func deliver(_ connection: Connection) {
        while let (channel, payload) = connection.nextNotification() {
            self.state.withLock { state in
                for (number, subscription) in state.subscriptions where subscription.isActive && subscription.channels.contains(channel) {
                    state.subscriptions[number]?.offer(.received(channel: channel, payload: payload))
                }
            }
        }
    }

    /// One statement, waited for; the notifications that come meanwhile stay with libpq.
    private func execute(_ sql: String, on connection: Connection) throws(DatabaseError) {
        let deadline = Monotonic.now + Self.patience
        guard connection.sendSimple(sql) else { throw DatabaseError(.unavailable, "the listening connection broke") }
        while true {
            while connection.isBusy {
                let flushed = connection.flush()
                let ready = connection.wait(forOutput: flushed == .more, waker: nil, until: deadline)
                guard ready.socket, flushed != .broken, connection.consume() else {
                    throw DatabaseError(.unavailable, "the listening connection broke or fell silent")
                }
            }
            guard let result = connection.nextResult() else { return }
            if let error = result.error() { throw error }
        }
    }
}
