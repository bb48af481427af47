import CLibPQ

/// A read-only connection in pipeline mode, driven by ``ReadLoop``. Not Sendable.
final class ReadConnection {
    let connection: Connection
    private var cache: StatementCache
    private var expected = FIFO<Expected>()
    /// Output is waiting for the socket.
    var isWatchedForOutput = false
    private(set) var lastProgress = Monotonic.now

    private enum Expected {
        case prepare(ReadRequest, name: String)
        case execute(ReadRequest, name: String?)
        case deallocate
        case sync
    }

    init?(_ connection: Connection, cacheSize: Int) {
        self.connection = connection
        self.cache = StatementCache(limit: cacheSize)
        guard connection.enterPipeline() else { return nil }
    }

    var isIdle: Bool { self.expected.isEmpty }

    /// Unfinished requests, in the order in which they were sent.
    var inFlight: [ReadRequest] {
        var requests: [ReadRequest] = []
        self.expected.forEach { if case .execute(let request, _) = $0 { requests.append(request) } }
        return requests
    }

    /// All under one Sync: an error of one makes the server skip those behind it.
    /// - Returns: false when the connection is broken.
    func send(batch: [ReadRequest]) -> Bool {
        guard self.deallocate() else { return false }
        for request in batch {
            let (name, isNew) = self.cache.name(for: request.query.sql)
            if isNew {
                guard self.connection.sendPrepare(name: name, sql: request.query.sql) else { return self.lose(request) }
                self.expected.append(.prepare(request, name: name))
            }
            self.expected.append(.execute(request, name: name))
            guard self.connection.sendPrepared(name: name, request.query.parameters) else { return false }
        }
        return self.sync()
    }

    /// Unprepared and under a Sync of its own: for those that another's error, or a stale plan, kept from running.
    func send(alone request: ReadRequest) -> Bool {
        self.expected.append(.execute(request, name: nil))
        return self.connection.sendUnprepared(request.query.sql, request.query.parameters) && self.sync()
    }

    private func lose(_ request: ReadRequest) -> Bool {
        self.expected.append(.execute(request, name: nil))
        return false
    }

    private func sync() -> Bool {
        self.expected.append(.sync)
        self.lastProgress = .now
        return self.connection.sendSync()
    }

    /// Forgets statements that fell out of the cache, once some have gathered. A Sync each: a name whose preparation never ran is unknown to the server.
    private func deallocate() -> Bool {
        guard self.cache.discarded.count >= 16 else { return true }
        for name in self.cache.takeDiscarded() {
            self.expected.append(.deallocate)
            guard self.connection.sendUnprepared("DEALLOCATE \(name)", []), self.sync() else { return false }
        }
        return true
    }

    /// Answers all callers whose results have come.
    /// - Parameter again: takes the requests that have to be sent again alone.
    /// - Returns: false when the connection is broken.
    func receive(again: (ReadRequest) -> Void) -> Bool {
        guard self.connection.consume() else { return false }
        while let next = self.expected.first, !self.connection.isBusy {
            guard let result = self.connection.nextResult() else {
                // Only a Sync's own answer ends a group; anything else ends with nil.
                if case .sync = next {} else { _ = self.expected.popFirst() }
                if !self.connection.isOpen { return false }
                continue
            }
            self.lastProgress = .now
            if result.status == PGRES_PIPELINE_SYNC {
                _ = self.expected.popFirst()
            } else if !self.settle(next, result, again) {
                return false
            }
        }
        return true
    }

    private func settle(_ expected: Expected, _ result: ResultBox, _ again: (ReadRequest) -> Void) -> Bool {
        switch expected {
        case .prepare(let request, let name):
            guard result.status != PGRES_COMMAND_OK else { return true }
            self.cache.forget(request.query.sql, name: name)
            guard let error = result.error() else { return true }
            if error.endsConnection { return false }
            request.finish(.failure(error))
        case .execute(let request, let name):
            if result.status == PGRES_PIPELINE_ABORTED {
                if !request.isDone { again(request) }
            } else if let error = result.error() {
                if error.endsConnection { return false }
                if let name, error.isStalePlan {
                    self.cache.forget(request.query.sql, name: name)
                    again(request)
                } else {
                    request.finish(.failure(error))
                }
            } else {
                request.finish(.success(result))
            }
        case .deallocate, .sync: break
        }
        return true
    }
}
