import CLibPQ
import Glibc

/// The one thread of the read lane: epoll over a few pipelined connections. Whatever has gathered while a connection was busy becomes its next batch.
/// Everything here is touched by that thread alone.
final class ReadLoop {
    private enum Slot {
        case down(until: Monotonic)
        case connecting
        case up(ReadConnection)
    }

    /// Bounds how much waits behind one slow statement, and how much has to be sent again after an error.
    static let longestBatch = 128
    private static let aloneAtOnce = 16
    /// A read may be sent again when its connection broke, but one that breaks connections must not go on.
    private static let toleratedLosses = 2
    /// How much longer than the server's own time-out a silent connection is borne.
    private static let grace: Duration = .seconds(2)
    private static let checkInterval: Duration = .milliseconds(100)
    private static let wakerTag = UInt32.max

    private let lane: ReadLane
    private let epoll: Int32
    private var slots: [Slot]
    private var backoffs: [Backoff]
    private var waiting = FIFO<ReadRequest>()
    private var alone = FIFO<ReadRequest>()
    private var nextChore: Monotonic? = Monotonic(nanoseconds: 0)
    private var nextCheck = Monotonic(nanoseconds: 0)

    /// - Parameter epoll: is closed with the loop.
    init(_ lane: ReadLane, epoll: Int32) {
        self.lane = lane
        self.epoll = epoll
        let count = max(1, lane.configuration.readConnections)
        self.slots = Array(repeating: .down(until: Monotonic(nanoseconds: 0)), count: count)
        self.backoffs = Array(repeating: Backoff(), count: count)
        _ = switchboard_epoll_watch(self.epoll, lane.waker.descriptor, Self.wakerTag, 1, 0)
    }

    deinit { close(self.epoll) }

    func run() {
        while true {
            let (taken, phase) = self.takeIn()
            let now = Monotonic.now
            self.keepTime(now)
            if phase == .stopped || (phase == .draining && self.hasNothingToFinish) { break }
            self.connect(now)
            self.dispatch()
            self.sleep(taken ? Monotonic(nanoseconds: 0) : self.nextEvent(now))
        }
        self.end()
    }

    // MARK: In and out.

    private func takeIn() -> (taken: Bool, phase: ReadLane.Phase) {
        let inbox = self.lane.take()
        self.waiting.append(contentsOf: inbox.requests)
        for (slot, result) in inbox.connected { self.connected(slot, result) }
        return (!inbox.requests.isEmpty || !inbox.connected.isEmpty, inbox.phase)
    }

    private func sleep(_ deadline: Monotonic) {
        let (count, tags) = withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 16) { buffer in
            let count = switchboard_epoll_wait(self.epoll, buffer.baseAddress, 16, deadline.millisecondsFromNow)
            return (count, (0..<max(0, Int(count))).map { buffer[$0] })
        }
        self.lane.isAwake()
        guard count > 0 else { return }
        for tag in tags {
            if tag == Self.wakerTag {
                self.lane.waker.drain()
                self.nextChore = Monotonic(nanoseconds: 0)
            } else {
                self.ready(Int(tag))
            }
        }
    }

    private func ready(_ slot: Int) {
        guard case .up(let connection) = self.slots[slot] else { return }
        if connection.receive(again: { self.alone.append($0) }) { self.flush(slot, connection) } else { self.lost(slot, connection) }
    }

    private func flush(_ slot: Int, _ connection: ReadConnection) {
        switch connection.connection.flush() {
        case .broken: self.lost(slot, connection)
        case .done: self.watch(slot, connection, output: false)
        case .more: self.watch(slot, connection, output: true)
        }
    }

    private func watch(_ slot: Int, _ connection: ReadConnection, output: Bool) {
        guard connection.isWatchedForOutput != output else { return }
        connection.isWatchedForOutput = output
        _ = switchboard_epoll_watch(self.epoll, connection.connection.descriptor, UInt32(slot), 0, output ? 1 : 0)
    }

    /// Gives every idle connection its share of what waits.
    private func dispatch() {
        guard !self.waiting.isEmpty || !self.alone.isEmpty else { return }
        var idle: [(Int, ReadConnection)] = []
        for (slot, state) in self.slots.enumerated() {
            if case .up(let connection) = state, connection.isIdle { idle.append((slot, connection)) }
        }
        while let (slot, connection) = idle.popLast() {
            let again = Self.take(min(Self.aloneAtOnce, self.alone.count), from: &self.alone)
            let share = (self.waiting.count + idle.count) / (idle.count + 1)
            let batch = Self.take(min(Self.longestBatch, share), from: &self.waiting)
            guard !again.isEmpty || !batch.isEmpty else { continue }
            var sent = true
            for request in again { sent = connection.send(alone: request) && sent }
            if !batch.isEmpty { sent = connection.send(batch: batch) && sent }
            if sent { self.flush(slot, connection) } else { self.lost(slot, connection, unsent: batch) }
        }
    }

    private static func take(_ count: Int, from queue: inout FIFO<ReadRequest>) -> [ReadRequest] {
        var taken: [ReadRequest] = []
        taken.reserveCapacity(count)
        while taken.count < count, let request = queue.popFirst() { if !request.isDone { taken.append(request) } }
        return taken
    }

    // MARK: Connections.

    private func connect(_ now: Monotonic) {
        for slot in self.slots.indices {
            guard case .down(let until) = self.slots[slot], until <= now else { continue }
            let lane = self.lane
            let parameters = lane.parameters
            do throws(DatabaseError) {
                self.slots[slot] = .connecting
                // Resolving a name and opening a connection block: not here, where others are being served.
                _ = try NamedThread.start("pg-connect") {
                    lane.deliver(Result { () throws(DatabaseError) in ConnectionTransfer(try Connection.open(parameters)) }, slot: slot)
                }
            } catch {
                self.failed(slot, error)
            }
        }
    }

    private func connected(_ slot: Int, _ result: Result<ConnectionTransfer, DatabaseError>) {
        switch result {
        case .failure(let error): self.failed(slot, error)
        case .success(let transfer):
            guard let opened = transfer.take(),
                let connection = ReadConnection(opened, cacheSize: self.lane.configuration.statementCacheSize),
                switchboard_epoll_watch(self.epoll, opened.descriptor, UInt32(slot), 1, 0) == 0
            else { return self.failed(slot, DatabaseError(.unavailable, "a new connection could not be used")) }
            self.slots[slot] = .up(connection)
            self.backoffs[slot].reset()
            self.lane.health.connected()
        }
    }

    private func failed(_ slot: Int, _ error: DatabaseError) {
        self.lane.health.failed(error)
        self.slots[slot] = .down(until: .now + self.backoffs[slot].next())
    }

    /// What was sent on a broken connection is sent again on another: the lane is read-only.
    private func lost(_ slot: Int, _ connection: ReadConnection, unsent: [ReadRequest] = []) {
        _ = switchboard_epoll_forget(self.epoll, connection.connection.descriptor)
        self.slots[slot] = .down(until: Monotonic(nanoseconds: 0))
        let inFlight = connection.inFlight
        for request in inFlight where !request.isDone {
            if request.countLoss() > Self.toleratedLosses {
                request.finish(.failure(DatabaseError(.unavailable, "the connection broke each time the read was sent")))
            } else {
                self.alone.append(request)
            }
        }
        for request in unsent where !inFlight.contains(where: { $0 === request }) { self.waiting.append(request) }
    }

    // MARK: Time.

    private func keepTime(_ now: Monotonic) {
        if let due = self.nextChore, due <= now { self.nextChore = self.lane.runChores(now) }
        let wait = self.lane.configuration.waitLimit
        while let first = self.waiting.first, first.isDone || first.enqueued + wait <= now {
            first.finish(.failure(DatabaseError(.unavailable, "no connection became free within the wait limit")))
            _ = self.waiting.popFirst()
        }
        guard self.nextCheck <= now else { return }
        self.nextCheck = now + Self.checkInterval
        let total = wait + self.lane.configuration.readTimeout
        while let first = self.alone.first, first.isDone || first.enqueued + total <= now {
            first.finish(.failure(DatabaseError(.unavailable, "the connection broke and none replaced it in time")))
            _ = self.alone.popFirst()
        }
        for (slot, state) in self.slots.enumerated() {
            guard case .up(let connection) = state, !connection.isIdle else { continue }
            for request in connection.inFlight where request.enqueued + total <= now {
                request.finish(.failure(DatabaseError(.timedOut, "no answer within the read time-out")))
            }
            if connection.lastProgress + self.lane.configuration.readTimeout + Self.grace <= now { self.lost(slot, connection) }
        }
    }

    private func nextEvent(_ now: Monotonic) -> Monotonic {
        var next = self.nextChore ?? .distantFuture
        if let first = self.waiting.first { next = min(next, first.enqueued + self.lane.configuration.waitLimit) }
        var isBusy = !self.alone.isEmpty
        for state in self.slots {
            switch state {
            case .down(let until): next = min(next, until)
            case .connecting: break
            case .up(let connection): isBusy = isBusy || !connection.isIdle
            }
        }
        return isBusy ? min(next, max(now, self.nextCheck)) : next
    }

    // MARK: The end.

    private var hasNothingToFinish: Bool {
        var isConnected = false
        for state in self.slots {
            guard case .up(let connection) = state else { continue }
            isConnected = true
            if !connection.isIdle { return false }
        }
        return !isConnected || (self.waiting.isEmpty && self.alone.isEmpty)
    }

    /// Fails what is left and waits for connections that are still being made, so that their threads end before this one.
    private func end() {
        for state in self.slots {
            if case .up(let connection) = state { for request in connection.inFlight { request.finish(.failure(.stopped)) } }
        }
        for request in self.waiting.removeAll() + self.alone.removeAll() { request.finish(.failure(.stopped)) }
        var connecting = self.slots.count { if case .connecting = $0 { true } else { false } }
        while true {
            let inbox = self.lane.take()
            for request in inbox.requests { request.finish(.failure(.stopped)) }
            connecting -= inbox.connected.count
            if connecting <= 0 { return }
            if self.lane.waker.wait(until: .distantFuture) { self.lane.waker.drain() }
        }
    }
}
