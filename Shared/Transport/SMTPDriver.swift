import CCurl

/// Runs SMTP jobs on a ``CurlLoop``: turns between servers, connections kept for each. Everything here happens on the loop's thread.
final class SMTPDriver: LoopDriver {
    enum Command: Sendable {
        case run(SMTPJob, SMTPJob.Answer)
        case abort(SMTPJob)
        /// Monotonic nanoseconds; what is not finished then is aborted.
        case stop(deadline: UInt64)
        case whenStopped(UnsafeContinuation<Void, Never>)
    }

    private static let sweepInterval: UInt64 = 10_000_000

    private let settings: SMTPClient.Configuration
    private let load: LoadCounters
    private var multi: UnsafeMutableRawPointer?
    private var queue: FairQueue<SMTPServer, SMTPJob>
    private var connections: [SMTPConnection] = []
    /// Last used, first taken: the others grow old and are closed.
    private var idle: [SMTPServer: [SMTPConnection]] = [:]
    private var polled: [SMTPConnection] = []
    private var nextSweep: UInt64 = .max
    private var lastSweep: UInt64 = 0
    private var stopAt: UInt64?
    private var whenStopped: [UnsafeContinuation<Void, Never>] = []

    init(_ settings: SMTPClient.Configuration, load: LoadCounters) {
        self.settings = settings
        self.load = load
        self.queue = FairQueue(maximumInFlight: settings.maximumConnections, maximumPerHost: settings.maximumConnectionsPerServer)
    }

    func attach(to multi: UnsafeMutableRawPointer) { self.multi = multi }

    func beginRound(now: UInt64) {}

    func detach() {
        for connection in self.connections { self.close(connection) }
        for continuation in self.whenStopped { continuation.resume() }
    }

    // MARK: Commands

    func handle(_ command: Command) {
        switch command {
        case .run(let job, let answer):
            job.answer = answer
            if self.stopAt != nil { return job.settle(.failure(SMTPJob.shutDown)) }
            if job.phase == .ended { return job.settle(.failure(CancellationError())) }
            job.phase = .waiting
            self.nextSweep = min(self.nextSweep, job.deadline)
            self.queue.append(job, host: job.server)
        case .abort(let job):
            self.abort(job)
        case .stop(let deadline):
            self.stopAt = min(self.stopAt ?? .max, deadline)
            for job in self.queue.everyWaiting { self.endWaiting(job, SMTPJob.shutDown) }
            for connection in self.connections where connection.phase == .idle { self.close(connection) }
        case .whenStopped(let continuation):
            self.whenStopped.append(continuation)
        }
    }

    func refuse(_ command: Command) {
        switch command {
        case .run(let job, let answer):
            job.answer = answer
            job.settle(.failure(SMTPJob.shutDown))
        case .whenStopped(let continuation): continuation.resume()
        case .abort, .stop: break
        }
    }

    private func abort(_ job: SMTPJob) {
        switch job.phase {
        case .new:
            job.phase = .ended
        case .waiting:
            self.endWaiting(job, CancellationError())
        case .active:
            // Once the final dot is out, only the reply tells what became of the message.
            guard let connection = job.connection, !connection.isMessageWritten else { return }
            self.give(up: connection, CancellationError())
        case .ended:
            break
        }
    }

    private func endWaiting(_ job: SMTPJob, _ error: any Error) {
        job.settle(.failure(error))
        self.queue.gaveUp()
    }

    private func end(_ job: SMTPJob, _ result: Result<SMTPReply, any Error>) {
        if let host = job.turn {
            job.turn = nil
            self.queue.ended(host)
        }
        job.settle(result)
    }

    // MARK: Connections

    private func start(_ job: SMTPJob, now: UInt64) {
        job.phase = .active
        if !job.needsNewConnection, let envelope = job.envelope, let connection = self.takeIdle(job.server, now: now) {
            self.note(connection, now: now)
            self.apply(connection.begin(job, envelope), to: connection)
            return
        }
        self.makeRoom()
        guard let multi = self.multi, let connection = SMTPConnection(job: job, settings: self.settings, now: now) else {
            let error = TransportError(kind: .connect, surelyNotSent: true, detail: "libcurl gives no more handles")
            return self.end(job, .failure(error))
        }
        job.connection = connection
        self.connections.append(connection)
        self.note(connection, now: now)
        let added = curl_multi_add_handle(multi, connection.handle.easy)
        if added != CURLM_OK {
            let detail = String(cString: curl_multi_strerror(added))
            self.give(up: connection, TransportError(kind: .connect, surelyNotSent: true, detail: detail))
        }
    }

    private func takeIdle(_ server: SMTPServer, now: UInt64) -> SMTPConnection? {
        while let connection = self.idle[server]?.popLast() {
            if self.idle[server]?.isEmpty == true { self.idle[server] = nil }
            if connection.mayBeKept(now: now) { return connection }
            self.close(connection)
        }
        return nil
    }

    /// Idle connections to other servers give way to a new one.
    private func makeRoom() {
        guard self.connections.count >= self.settings.maximumConnections else { return }
        if let oldest = self.connections.first(where: { $0.phase == .idle }) { self.close(oldest) }
    }

    /// Has the connection's next deadline looked at.
    private func note(_ connection: SMTPConnection, now: UInt64) {
        self.nextSweep = min(self.nextSweep, connection.nextDeadline(now: now))
    }

    func finished(_ easy: UnsafeMutableRawPointer, _ result: CURLcode) {
        guard let connection = EasyHandle.of(easy)?.owner as? SMTPConnection, let job = connection.job else { return }
        if let error = connection.connected(result) {
            // For a check, the server's refusal is the answer.
            if job.envelope == nil, let reply = connection.sessionReply, reply.code >= 400 {
                return self.settle(connection, reply)
            }
            return self.give(up: connection, error)
        }
        connection.phase = .idle
        if let envelope = job.envelope {
            self.apply(connection.begin(job, envelope), to: connection)
        } else if let reply = connection.sessionReply {
            self.settle(connection, reply)
        } else {
            self.give(up: connection, connection.lost("the server said nothing", kind: .protocolError))
        }
    }

    // MARK: Outcomes

    private func apply(_ outcome: SMTPConnection.Outcome?, to connection: SMTPConnection) {
        switch outcome {
        case nil: break
        case .settled(let reply): self.settle(connection, reply)
        case .lost(let error): self.give(up: connection, error)
        }
    }

    private func settle(_ connection: SMTPConnection, _ reply: SMTPReply) {
        guard let job = connection.job else { return self.close(connection) }
        connection.job = nil
        let now = MonotonicClock.now
        let isKept = job.envelope != nil && connection.mayBeKept(now: now) && self.stopAt == nil
        if connection.phase == .busy { connection.phase = .idle }
        if isKept {
            self.idle[connection.server, default: []].append(connection)
            self.note(connection, now: now)
        } else {
            self.close(connection)
        }
        self.end(job, .success(reply))
    }

    /// Ends the connection and what it carries. A message of which nothing was written, on a kept connection that had died, gets a new one.
    private func give(up connection: SMTPConnection, _ error: any Error) {
        let job = connection.job
        connection.job = nil
        let isStale = connection.isReused && !connection.isMessageWritten && (error as? TransportError)?.kind == .connectionLost
        self.close(connection)
        guard let job else { return }
        if isStale, !job.needsNewConnection, self.stopAt == nil {
            job.needsNewConnection = true
            return self.start(job, now: MonotonicClock.now)
        }
        self.end(job, .failure(error))
    }

    private func close(_ connection: SMTPConnection) {
        guard connection.phase != .closed else { return }
        connection.quit()
        connection.phase = .closed
        self.idle[connection.server]?.removeAll { $0 === connection }
        if self.idle[connection.server]?.isEmpty == true { self.idle[connection.server] = nil }
        curl_multi_remove_handle(self.multi, connection.handle.easy)
        self.connections.removeAll { $0 === connection }
    }
}

// MARK: - The round

extension SMTPDriver {
    var watched: [curl_waitfd] {
        self.polled.removeAll(keepingCapacity: true)
        var result: [curl_waitfd] = []
        for connection in self.connections {
            guard let watched = connection.watched else { continue }
            self.polled.append(connection)
            result.append(watched)
        }
        return result
    }

    func ready(_ watched: [curl_waitfd]) {
        for (connection, descriptor) in zip(self.polled, watched) where descriptor.revents != 0 {
            guard connection.phase == .busy || connection.phase == .idle else { continue }
            self.apply(connection.turn(), to: connection)
        }
    }

    func endRound(now: UInt64) -> LoopRound {
        if now >= max(self.nextSweep, self.lastSweep + Self.sweepInterval) { self.sweep(now: now) }
        var started = false
        while let (job, host) = self.queue.next() {
            job.turn = host
            self.start(job, now: now)
            started = true
        }
        self.load.set(inFlight: self.queue.underWay, waiting: self.queue.waiting)
        var wakeAt = self.nextSweep == .max ? nil : max(self.nextSweep, self.lastSweep + Self.sweepInterval)
        if let stopAt = self.stopAt {
            wakeAt = min(stopAt, wakeAt ?? .max)
            if now >= stopAt { self.abortAll() }
        }
        return LoopRound(startedWork: started, wakeAt: wakeAt, isOver: self.stopAt != nil && self.queue.underWay == 0)
    }

    private func abortAll() {
        for connection in self.connections {
            self.give(up: connection, connection.lost("the client is shut down", kind: .shuttingDown))
        }
    }

    private func sweep(now: UInt64) {
        self.lastSweep = now
        var next = UInt64.max
        for connection in self.connections {
            let deadline = connection.nextDeadline(now: now)
            if deadline > now {
                next = min(next, deadline)
            } else if connection.phase == .idle {
                self.close(connection)
            } else {
                self.give(up: connection, connection.timedOut())
            }
        }
        for job in self.queue.everyWaiting {
            if job.deadline > now {
                next = min(next, job.deadline)
            } else {
                self.endWaiting(job, TransportError(kind: .busy, surelyNotSent: true, detail: "no connection became free in time"))
            }
        }
        self.nextSweep = next
    }
}
