import Models
package import NIOCore
import NIOHTTP1
import NIOPosix
import Transport

/// The calls that one event loop makes to services of the house, and the connections it keeps for them. Nothing of a call leaves its loop: a change
/// of thread would cost more than the call. Touched on its loop alone.
package final class LoopCalls {
    /// One replica of a service, known by its place.
    struct Replica: Hashable {
        var service: ServiceName
        var index: Int
    }

    /// Below what a process of the house allows its clients, those too that have said nothing yet (``ConnectionLimits/firstByte``): it is this side
    /// that ends what is not used.
    private static let longestIdle = TimeAmount.seconds(10)
    /// Of one replica.
    private static let mostIdle = 32
    /// By which the end of a call's time may be late.
    private static let interval = TimeAmount.milliseconds(250)

    let eventLoop: any EventLoop
    /// Of each replica, the one used last at the end.
    private var idle: [Replica: [ReplicaConnection]] = [:]
    private var underWay: [ObjectIdentifier: LoopCall] = [:]
    private var round: Scheduled<Void>?

    package init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    deinit {
        self.round?.cancel()
        for connection in self.idle.values.joined() { connection.channel.close(promise: nil) }
    }

    // MARK: - Calls

    func began(_ call: LoopCall) {
        self.underWay[ObjectIdentifier(call)] = call
        self.watch()
    }

    func ended(_ call: LoopCall) { self.underWay[ObjectIdentifier(call)] = nil }

    // MARK: - Connections

    func idleConnection(to replica: Replica) -> ReplicaConnection? { self.idle[replica]?.popLast() }

    func keep(_ connection: ReplicaConnection) {
        guard self.idle[connection.replica, default: []].count < Self.mostIdle else { return connection.channel.close(promise: nil) }
        connection.isKept = true
        connection.idleSince = .now()
        self.idle[connection.replica, default: []].append(connection)
        self.watch()
    }

    func forget(_ connection: ReplicaConnection) {
        self.idle[connection.replica]?.removeAll { $0 === connection }
    }

    func connect(
        to replica: Replica,
        at origin: HTTPOrigin,
        within limit: Duration,
        _ done: @escaping (Result<ReplicaConnection, any Error>) -> Void
    ) {
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        let bootstrap = ClientBootstrap(group: self.eventLoop)
            .connectTimeout(TimeAmount(limit))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    // The names and values that are sent came through a parser or are the house's own: neither holds a line's end.
                    try pipeline.addHTTPClientHandlers(enableOutboundHeaderValidation: false)
                    try pipeline.addHandler(ReplicaConnection(to: replica, over: channel, for: bound.value))
                }
            }
        let connected =
            if let address = try? SocketAddress(ipAddress: origin.host, port: origin.port) {
                bootstrap.connect(to: address)
            } else {
                bootstrap.connect(host: origin.host, port: origin.port)
            }
        connected.assumeIsolated()
            .flatMapThrowing { try $0.pipeline.syncOperations.handler(type: ReplicaConnection.self) }
            .whenComplete(done)
    }

    // MARK: - Time

    /// Looks around as long as there is something to look at.
    private func watch() {
        guard self.round == nil else { return }
        let bound = NIOLoopBoundBox(WeakCalls(calls: self), eventLoop: self.eventLoop)
        self.round = self.eventLoop.scheduleTask(in: Self.interval) { bound.value.calls?.lookAround() }
    }

    private func lookAround() {
        self.round = nil
        let now = NIODeadline.now()
        for call in self.underWay.values where call.deadline <= now { call.expire() }
        for (replica, connections) in self.idle {
            let kept = connections.filter { $0.idleSince + Self.longestIdle > now }
            guard kept.count < connections.count else { continue }
            self.idle[replica] = kept
            for connection in connections where connection.idleSince + Self.longestIdle <= now { connection.channel.close(promise: nil) }
        }
        if !self.underWay.isEmpty || self.idle.values.contains(where: { !$0.isEmpty }) { self.watch() }
    }
}

private struct WeakCalls {
    weak var calls: LoopCalls?
}
