import CCurl

/// Runs HTTP transfers on a ``CurlLoop``. Everything here happens on the loop's thread.
final class HTTPDriver: LoopDriver {
    enum Command: Sendable {
        case send(HTTPTransfer, HTTPTransfer.Answer)
        case abort(HTTPTransfer, HTTPTransfer.AbortReason)
        case resumeReceiving(HTTPTransfer)
        case resumeSending(HTTPTransfer)
        /// Monotonic nanoseconds; what is not finished then is aborted.
        case stop(deadline: UInt64)
        case whenStopped(UnsafeContinuation<Void, Never>)
    }

    /// Time-outs are looked for no more often than this, so that many different deadlines do not keep the loop busy.
    private static let sweepInterval: UInt64 = 10_000_000

    private let configuration: HTTPClient.Configuration
    private let load: LoadCounters
    private var multi: UnsafeMutableRawPointer?
    private var queue: FairQueue<String, HTTPTransfer>
    private var active: [HTTPTransfer] = []
    private let board = HeadBoard()
    private var resting: [EasyHandle] = []
    private var nextSweep: UInt64 = .max
    private var lastSweep: UInt64 = 0
    private var stopAt: UInt64?
    private var whenStopped: [UnsafeContinuation<Void, Never>] = []

    init(_ configuration: HTTPClient.Configuration, load: LoadCounters) {
        self.configuration = configuration
        self.load = load
        self.queue = FairQueue(maximumInFlight: configuration.maximumInFlight, maximumPerHost: configuration.maximumPerHost)
    }

    let watched: [curl_waitfd] = []

    func ready(_ watched: [curl_waitfd]) {}

    func attach(to multi: UnsafeMutableRawPointer) { self.multi = multi }

    func beginRound(now: UInt64) { self.board.now = now }

    func detach() {
        // Frees the handles, which are out of the multi by now.
        self.resting = []
        for continuation in self.whenStopped { continuation.resume() }
    }

    func handle(_ command: Command) {
        switch command {
        case .send(let transfer, let answer):
            self.enqueue(transfer, answer)
        case .abort(let transfer, _):
            self.abort(transfer)
        case .resumeReceiving(let transfer):
            guard transfer.phase == .active else { return }
            transfer.isReceivePaused = false
            self.unpause(transfer)
        case .resumeSending(let transfer):
            guard transfer.phase == .active else { return }
            transfer.isSendPaused = false
            self.unpause(transfer)
        case .stop(let deadline):
            self.stopAt = min(self.stopAt ?? .max, deadline)
            self.refuseWaiting()
        case .whenStopped(let continuation):
            self.whenStopped.append(continuation)
        }
    }

    func refuse(_ command: Command) {
        switch command {
        case .send(let transfer, let answer): self.refuse(transfer, answer)
        case .whenStopped(let continuation): continuation.resume()
        case .abort, .resumeReceiving, .resumeSending, .stop: break
        }
    }

    // MARK: Beginning

    private func enqueue(_ transfer: HTTPTransfer, _ answer: @escaping HTTPTransfer.Answer) {
        guard self.stopAt == nil else { return self.refuse(transfer, answer) }
        guard transfer.phase == .new else {
            // Cancelled before it came here.
            answer(.failure(CancellationError()))
            return
        }
        transfer.phase = .waiting
        transfer.answer = answer
        self.nextSweep = min(self.nextSweep, transfer.nextDeadline(now: transfer.startedAt))
        self.queue.append(transfer, host: transfer.checked.hostKey)
    }

    private func startWaiting(now: UInt64) -> Bool {
        var started = false
        while let (transfer, host) = self.queue.next() {
            transfer.turn = host
            self.start(transfer, now: now)
            started = true
        }
        return started
    }

    private func start(_ transfer: HTTPTransfer, now: UInt64) {
        guard let multi = self.multi, let handle = self.takeHandle() else {
            transfer.phase = .ended
            self.endTurn(transfer)
            self.settle(transfer, TransportError(kind: .connect, surelyNotSent: true, detail: "libcurl gives no more handles"))
            return
        }
        transfer.slot = self.active.count
        self.active.append(transfer)
        transfer.begin(on: handle, board: self.board, now: now)
        self.nextSweep = min(self.nextSweep, transfer.nextDeadline(now: now))
        let added = curl_multi_add_handle(multi, handle.easy)
        if added != CURLM_OK {
            let detail = String(cString: curl_multi_strerror(added))
            self.end(transfer, failure: TransportError(kind: .connect, surelyNotSent: true, detail: detail))
        }
    }

    private func takeHandle() -> EasyHandle? {
        self.resting.popLast() ?? EasyHandle(protocols: "http,https", userAgent: self.configuration.userAgent)
    }

    private func unpause(_ transfer: HTTPTransfer) {
        guard let handle = transfer.handle else { return }
        transfer.touch()
        self.nextSweep = min(self.nextSweep, transfer.nextDeadline(now: self.board.now))
        let still = (transfer.isReceivePaused ? CURLPAUSE_RECV : 0) | (transfer.isSendPaused ? CURLPAUSE_SEND : 0)
        curl_easy_pause(handle.easy, still)
    }

    // MARK: Ending

    func finished(_ easy: UnsafeMutableRawPointer, _ result: CURLcode) {
        guard let transfer = EasyHandle.of(easy)?.owner as? HTTPTransfer else { return }
        self.end(transfer, failure: result == CURLE_OK && transfer.failure == nil ? nil : transfer.explain(result))
    }

    private func abort(_ transfer: HTTPTransfer) {
        switch transfer.phase {
        case .new, .ended:
            transfer.phase = .ended
        case .waiting:
            self.endWaiting(transfer, CancellationError())
        case .active:
            self.end(transfer, failure: CancellationError())
        }
    }

    /// Takes an active transfer off the loop. An unfinished one loses its connection.
    private func end(_ transfer: HTTPTransfer, failure: (any Error)?) {
        guard transfer.phase == .active, let handle = transfer.handle else { return }
        transfer.phase = .ended
        curl_multi_remove_handle(self.multi, handle.easy)
        transfer.handle = nil
        handle.release()
        if self.resting.count < self.configuration.maximumInFlight { self.resting.append(handle) }
        self.active.swapAt(transfer.slot, self.active.count - 1)
        self.active[transfer.slot].slot = transfer.slot
        self.active.removeLast()
        self.endTurn(transfer)
        self.settle(transfer, failure)
    }

    private func endTurn(_ transfer: HTTPTransfer) {
        guard let host = transfer.turn else { return }
        transfer.turn = nil
        self.queue.ended(host)
    }

    private func endWaiting(_ transfer: HTTPTransfer, _ failure: any Error) {
        transfer.phase = .ended
        self.queue.gaveUp()
        self.settle(transfer, failure)
    }

    private func settle(_ transfer: HTTPTransfer, _ failure: (any Error)?) {
        transfer.upload?.close()
        if let failure {
            transfer.received.fail(failure)
        } else {
            transfer.received.finish()
        }
        // A caller whose head has come gets it, and meets the failure in the body.
        if transfer.head != nil {
            transfer.tellHead()
        } else if let answer = transfer.answer {
            transfer.answer = nil
            answer(.failure(failure ?? transfer.explain(CURLE_WEIRD_SERVER_REPLY)))
        }
    }

    private func refuse(_ transfer: HTTPTransfer, _ answer: @escaping HTTPTransfer.Answer) {
        transfer.phase = .ended
        answer(.failure(TransportError(kind: .shuttingDown, surelyNotSent: true, detail: "the client is shut down")))
    }

    private func refuseWaiting() {
        for transfer in self.queue.everyWaiting {
            self.endWaiting(transfer, TransportError(kind: .shuttingDown, surelyNotSent: true, detail: "the client is shut down"))
        }
    }
}

// MARK: - The round's end

extension HTTPDriver {
    func endRound(now: UInt64) -> LoopRound {
        self.answerHeads()
        if now >= max(self.nextSweep, self.lastSweep + Self.sweepInterval) { self.sweep(now: now) }
        let started = self.startWaiting(now: now)
        self.load.set(inFlight: self.queue.underWay, waiting: self.queue.waiting)
        guard let stopAt = self.stopAt else {
            return LoopRound(startedWork: started, wakeAt: self.wakeAt, isOver: false)
        }
        if now >= stopAt {
            for transfer in self.active {
                let isUnsent = (transfer.handle?.bytesSent ?? 0) == 0
                self.end(transfer, failure: TransportError(kind: .shuttingDown, surelyNotSent: isUnsent, detail: "the client is shut down"))
            }
        }
        return LoopRound(startedWork: started, wakeAt: min(stopAt, self.wakeAt ?? .max), isOver: self.active.isEmpty)
    }

    private var wakeAt: UInt64? {
        self.nextSweep == .max ? nil : max(self.nextSweep, self.lastSweep + Self.sweepInterval)
    }

    /// Callers are told at the end of a round: a small response is complete by then, and its body is read without waiting.
    private func answerHeads() {
        for transfer in self.board.headed { transfer.tellHead() }
        self.board.headed.removeAll(keepingCapacity: true)
        for transfer in self.board.answeredEarly { self.end(transfer, failure: nil) }
        self.board.answeredEarly.removeAll()
    }

    private func sweep(now: UInt64) {
        self.lastSweep = now
        var next = UInt64.max
        for transfer in self.active {
            if let error = transfer.overdue(now: now) {
                self.end(transfer, failure: error)
            } else {
                next = min(next, transfer.nextDeadline(now: now))
            }
        }
        for transfer in self.queue.everyWaiting {
            if let error = transfer.overdue(now: now) {
                self.endWaiting(transfer, error)
            } else {
                next = min(next, transfer.nextDeadline(now: now))
            }
        }
        self.nextSweep = next
    }
}
