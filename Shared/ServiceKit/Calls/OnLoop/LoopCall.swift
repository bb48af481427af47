import Models
package import NIOCore
package import NIOHTTP1
import Transport

/// Told how a ``LoopCall`` goes, on its event loop; nothing any more once it was cancelled.
package protocol CallReceiver: AnyObject {
    /// Whatever the replica answered.
    func received(_ head: HTTPResponseHead)
    func received(_ bytes: ByteBuffer)
    /// Nothing more has come by now.
    func readCompleted()
    func ended()
    /// There is no answer, or no end of it.
    func failed(_ error: ServiceCallError)
}

/// A GET to a service of the house over connections of its event loop. The rules are those of ``ServiceClient/send(_:)``: a replica that surely took
/// nothing is followed by another; one that broke off is not. Touched on its loop alone.
package final class LoopCall {
    private let client: ServiceClient
    private let request: LoopRequest
    private let calls: LoopCalls
    private var receiver: (any CallReceiver)?
    let deadline: NIODeadline
    private var failures = 0
    private var tried: Set<Int> = []
    /// Counted as under way at this replica, since then.
    private var place: (index: Int, since: ContinuousClock.Instant)?
    private var connection: ReplicaConnection?
    private var hasHead = false
    /// A kept connection turned out to be closed.
    private var wasStale = false
    private var nextTry: Scheduled<Void>?
    private var isOver = false

    init(_ request: LoopRequest, by client: ServiceClient, on calls: LoopCalls, for receiver: any CallReceiver) {
        self.client = client
        self.request = request
        self.calls = calls
        self.receiver = receiver
        self.deadline = .now() + TimeAmount(request.timeouts.total ?? request.timeouts.connect * 2)
    }

    func begin() {
        self.calls.began(self)
        self.attempt()
    }

    // MARK: - One try, and the next

    private func attempt() {
        switch self.client.pool.pick(avoiding: self.tried) {
        case .none(let untilBack): self.tryAgain(after: untilBack, or: self.client.noReplica(untilBack))
        case .replica(let index):
            self.place = (index, .now)
            self.reach(index)
        }
    }

    private func reach(_ index: Int, overKept: Bool = true) {
        let replica = LoopCalls.Replica(service: self.client.callee, index: index)
        if overKept, let connection = self.calls.idleConnection(to: replica) { return self.send(over: connection, to: index) }
        do {
            let origin = try self.client.origins[index].get()
            self.calls.connect(to: replica, at: origin, within: self.request.timeouts.connect) { self.connected($0, to: index) }
        } catch {
            self.fail(.notSent, "\(error)")
        }
    }

    private func connected(_ result: Result<ReplicaConnection, any Error>, to index: Int) {
        switch result {
        case .success(let connection) where self.isOver: self.calls.keep(connection)
        case .success(let connection): self.send(over: connection, to: index)
        case .failure where self.isOver: break
        case .failure(let error):
            self.settle(.notConnected)
            self.tried.insert(index)
            self.tryAgain(after: .zero, or: ServiceCallError(self.client.callee, .notSent, detail: "\(error)"))
        }
    }

    private func send(over connection: ReplicaConnection, to index: Int) {
        do {
            let head = try self.client.head(of: self.request, at: index)
            self.connection = connection
            connection.send(head, for: self)
        } catch {
            self.calls.keep(connection)
            self.fail(.notSent, "\(error)")
        }
    }

    private func tryAgain(after wait: Duration, or failure: ServiceCallError) {
        self.failures += 1
        let pause = TimeAmount(max(wait, ServiceClient.pause(self.failures)))
        guard self.failures < ServiceClient.tries, .now() + pause < self.deadline else { return self.fail(failure) }
        self.nextTry = self.calls.eventLoop.assumeIsolated().scheduleTask(in: pause) { self.attempt() }
    }

    // MARK: - The end

    /// What the try tells of its replica.
    private func settle(_ outcome: ReplicaPool.Outcome, statusClass: Int = 0) {
        guard let place else { return }
        self.place = nil
        self.client.note(outcome, statusClass: statusClass, of: place.index, since: place.since)
    }

    private func finish() {
        self.isOver = true
        self.settle(.other)
        self.nextTry?.cancel()
        self.connection = nil
        self.calls.ended(self)
    }

    private func fail(_ kind: ServiceCallError.Kind, _ detail: String) {
        self.fail(ServiceCallError(self.client.callee, kind, detail: detail))
    }

    /// Told a moment later: whoever begins a call has it in hand by then.
    private func fail(_ error: ServiceCallError) {
        self.connection?.abandon()
        self.finish()
        let bound = NIOLoopBound(self, eventLoop: self.calls.eventLoop)
        self.calls.eventLoop.execute { bound.value.letGo()?.failed(error) }
    }

    private func letGo() -> (any CallReceiver)? {
        defer { self.receiver = nil }
        return self.receiver
    }

    /// Nobody wants the answer any more. Idempotent.
    package func cancel() {
        self.receiver = nil
        guard !self.isOver else { return }
        self.connection?.abandon()
        self.finish()
    }

    func expire() { self.fail(.timedOut, "no whole answer in time") }

    // MARK: - Told by the receiver

    /// It cannot take more now.
    package func pause() { self.connection?.pause() }

    package func resume() { self.connection?.resume() }

    // MARK: - Told by the connection

    func received(_ head: HTTPResponseHead) {
        self.settle(.answered, statusClass: Int(head.status.code) / 100)
        self.hasHead = true
        self.receiver?.received(head)
    }

    func received(_ bytes: ByteBuffer) { self.receiver?.received(bytes) }

    func readCompleted() { self.receiver?.readCompleted() }

    func ended() {
        self.finish()
        self.letGo()?.ended()
    }

    /// The connection is of no use any more. A GET may be repeated where a kept connection had been closed (RFC 9112 section 9.3.1), once.
    func broke(_ reason: ReplicaConnection.Break) {
        self.connection = nil
        if case .stale = reason, !self.wasStale, let place {
            self.wasStale = true
            return self.reach(place.index, overKept: false)
        }
        self.fail(.broken, "\(reason)")
    }
}
