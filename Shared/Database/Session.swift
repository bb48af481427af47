import CLibPQ

/// What became of one statement of a group.
enum Outcome {
    case done(ResultBox)
    case failed(DatabaseError)
    /// Another statement of its group failed: it did not run.
    case aborted
    /// The connection broke before its group's end was confirmed.
    case lost

    var error: DatabaseError? {
        guard case .failed(let error) = self else { return nil }
        return error
    }
}

/// A connection in pipeline mode in the hands of one thread, which waits for its answers. Not Sendable.
///
/// Statements are sent in groups that end with a Sync. Without BEGIN a group is one implicit transaction, and its outcomes are final only when the Sync
/// is answered: the commit happens there.
final class Session {
    let connection: Connection
    private var cache: StatementCache
    private let waker: Waker
    /// The longest silence of the server that is borne: its own statement time-out and some grace.
    private let patience: Duration
    /// Asked when the waker was written to: true makes the server cancel what runs.
    var isInterrupted: () -> Bool = { false }
    /// Why the connection is of no more use.
    private(set) var fault: String?
    var isBroken: Bool { self.fault != nil }
    private var hasCancelled = false

    private enum Expected {
        case prepare(sql: String, name: String, group: Int, index: Int)
        case execute(group: Int, index: Int)
        case sync(group: Int)
    }

    /// How long the server has to answer a cancel request before the connection is given up.
    private static let cancelGrace: Duration = .seconds(2)

    init(_ connection: Connection, cacheSize: Int, waker: Waker, patience: Duration) {
        self.connection = connection
        self.cache = StatementCache(limit: cacheSize)
        self.waker = waker
        self.patience = patience
        if !connection.enterPipeline() { self.fault = connection.message }
    }

    /// Looks, without waiting, whether the server has closed an idle connection: nothing is sent into a dead one knowingly.
    func checkAlive() -> Bool {
        if !self.isBroken, self.connection.wait(waker: nil, until: .init(nanoseconds: 0)).socket, !self.connection.consume() {
            self.breakOff()
        }
        return !self.isBroken
    }

    func giveUp(_ reason: String) { self.fault = self.fault ?? reason }

    /// Libpq has found the connection dead.
    private func breakOff() { self.giveUp(self.connection.message) }

    /// Sends all groups in one go and waits for all answers.
    /// - Parameter isPrepared: false sends the text each time: for what came back stale.
    func run(_ groups: [[Query]], isPrepared: Bool = true) -> [[Outcome]] {
        var outcomes = groups.map { $0.map { _ in Outcome.lost } }
        guard !self.isBroken else { return outcomes }
        self.hasCancelled = false
        var expected = FIFO<Expected>()
        for (number, group) in groups.enumerated() {
            for (index, query) in group.enumerated() {
                self.send(query, isPrepared: isPrepared, group: number, index: index, &expected)
            }
            if !self.connection.sendSync() { self.breakOff() }
            expected.append(.sync(group: number))
        }
        self.receive(&expected, &outcomes)
        return outcomes
    }

    func run(_ query: Query) -> Outcome { self.run([[query]])[0][0] }

    /// Forgets statements that fell out of the cache, once some have gathered. Only between transactions.
    func tidy() {
        guard self.cache.discarded.count >= 16 else { return }
        // A Sync each: a name whose preparation never ran is unknown to the server.
        _ = self.run(self.cache.takeDiscarded().map { [Query(stringLiteral: "DEALLOCATE \($0)")] }, isPrepared: false)
    }

    private func send(_ query: Query, isPrepared: Bool, group: Int, index: Int, _ expected: inout FIFO<Expected>) {
        var sent = true
        if isPrepared {
            let (name, isNew) = self.cache.name(for: query.sql)
            if isNew {
                sent = self.connection.sendPrepare(name: name, sql: query.sql)
                expected.append(.prepare(sql: query.sql, name: name, group: group, index: index))
            }
            sent = sent && self.connection.sendPrepared(name: name, query.parameters)
        } else {
            sent = self.connection.sendUnprepared(query.sql, query.parameters)
        }
        if !sent { self.breakOff() }
        expected.append(.execute(group: group, index: index))
    }

    private func receive(_ expected: inout FIFO<Expected>, _ outcomes: inout [[Outcome]]) {
        var deadline = Monotonic.now + self.patience
        while !self.isBroken, let next = expected.first {
            if self.connection.isBusy {
                self.pump(&deadline)
                continue
            }
            guard let result = self.connection.nextResult() else {
                if case .sync = next {} else { _ = expected.popFirst() }
                if !self.connection.isOpen { self.breakOff() }
                continue
            }
            deadline = Monotonic.now + self.patience
            if result.status == PGRES_PIPELINE_SYNC { _ = expected.popFirst() }
            self.settle(next, result, &outcomes)
        }
        // A group whose Sync was not answered may or may not have been committed.
        while let next = expected.popFirst() {
            if case .sync(let group) = next {
                for index in outcomes[group].indices where outcomes[group][index].isDone { outcomes[group][index] = .lost }
            }
        }
    }

    private func settle(_ expected: Expected, _ result: ResultBox, _ outcomes: inout [[Outcome]]) {
        switch expected {
        case .prepare(let sql, let name, let group, let index):
            if let error = result.error() { outcomes[group][index] = .failed(error) }
            if result.status != PGRES_COMMAND_OK { self.cache.forget(sql, name: name) }
        case .execute(let group, let index):
            if case .failed = outcomes[group][index] { return }
            if result.status == PGRES_PIPELINE_ABORTED {
                outcomes[group][index] = .aborted
            } else if let error = result.error() {
                outcomes[group][index] = .failed(error)
            } else {
                outcomes[group][index] = .done(result)
            }
        case .sync(let group):
            // An error here is the commit's own (a deferred constraint): no statement of the group took effect.
            if let error = result.error() { outcomes[group] = outcomes[group].map { _ in .failed(error) } }
        }
    }

    /// One turn of flushing, waiting and reading. Marks the connection broken when it is, or when the server stays silent.
    private func pump(_ deadline: inout Monotonic) {
        let flushed = self.connection.flush()
        let ready = self.connection.wait(forOutput: flushed == .more, waker: self.waker, until: deadline)
        if ready.waker {
            self.waker.drain()
            if self.isInterrupted() { self.requestCancel(&deadline) }
        }
        if ready.socket {
            if !self.connection.consume() { self.breakOff() }
        } else if !ready.waker, deadline <= .now {
            if self.hasCancelled { self.giveUp("the server is silent") } else { self.requestCancel(&deadline) }
        }
    }

    private func requestCancel(_ deadline: inout Monotonic) {
        guard !self.hasCancelled else { return }
        self.hasCancelled = true
        self.connection.cancel()
        deadline = .now + Self.cancelGrace
    }

    /// A statement that the cache holds has gone stale: the next use prepares it again under a new name.
    func forget(_ query: Query) {
        let (name, _) = self.cache.name(for: query.sql)
        self.cache.forget(query.sql, name: name)
    }
}

extension Outcome {
    var isDone: Bool {
        if case .done = self { true } else { false }
    }
}

// MARK: COPY, which pipeline mode does not allow.

extension Session {
    /// Runs one COPY … FROM STDIN; `fill` is called until it leaves the buffer empty.
    func copy(_ sql: String, fill: (inout [UInt8]) throws -> Void) throws -> ResultBox {
        guard self.connection.exitPipeline(), self.connection.sendSimple(sql) else { throw self.lose() }
        defer { if !self.isBroken, !self.connection.enterPipeline() { self.breakOff() } }
        let opening = try self.result()
        guard opening.status == PGRES_COPY_IN else {
            try self.finish()
            throw opening.error() ?? DatabaseError(.misuse, "the statement is no COPY FROM STDIN")
        }
        do {
            var buffer: [UInt8] = []
            while true {
                buffer.removeAll(keepingCapacity: true)
                try fill(&buffer)
                if buffer.isEmpty { break }
                try self.put(buffer)
            }
        } catch {
            if !self.isBroken {
                try self.end(failure: "the client gave up")
                _ = try self.result()
                try self.finish()
            }
            throw error
        }
        try self.end(failure: nil)
        let result = try self.result()
        try self.finish()
        if let error = result.error() { throw error }
        return result
    }

    private func put(_ bytes: [UInt8]) throws {
        var deadline = Monotonic.now + self.patience
        while true {
            switch bytes.withUnsafeBufferPointer({ self.connection.putCopy($0) }) {
            case .taken:
                // Keeps libpq's own buffer small: a stream of any length passes through.
                while self.connection.flush() == .more { try self.turn(&deadline, forOutput: true) }
                return
            case .full: try self.turn(&deadline, forOutput: true)
            case .broken: throw self.lose()
            }
        }
    }

    private func end(failure: String?) throws {
        var deadline = Monotonic.now + self.patience
        while true {
            switch self.connection.endCopy(failure: failure) {
            case .taken: return
            case .full: try self.turn(&deadline, forOutput: true)
            case .broken: throw self.lose()
            }
        }
    }

    /// The next result outside pipeline mode.
    private func result() throws -> ResultBox {
        var deadline = Monotonic.now + self.patience
        while self.connection.isBusy { try self.turn(&deadline, forOutput: false) }
        guard let result = self.connection.nextResult(), self.connection.isOpen else { throw self.lose() }
        return result
    }

    private func finish() throws {
        var deadline = Monotonic.now + self.patience
        while true {
            while self.connection.isBusy { try self.turn(&deadline, forOutput: false) }
            if self.connection.nextResult() == nil { return }
        }
    }

    private func turn(_ deadline: inout Monotonic, forOutput: Bool) throws {
        self.pump(&deadline)
        if self.isBroken { throw self.lose() }
    }

    private func lose() -> DatabaseError {
        self.breakOff()
        return .broken(self.fault)
    }
}
