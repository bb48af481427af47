import CCurl
import HTTPTypes

/// Transfers whose head has come in this round. Belongs to the loop's thread.
final class HeadBoard {
    /// Of the round, in monotonic nanoseconds.
    var now: UInt64 = 0
    var headed: [HTTPTransfer] = []
    /// Answered in full while libcurl still waits for more to send.
    var answeredEarly: [HTTPTransfer] = []
}

/// One request and its response. `received` and `upload` have locks of their own; everything mutable belongs to the loop's thread.
final class HTTPTransfer: @unchecked Sendable {
    struct Head: Sendable {
        var response: HTTPResponse
        var peer: String?
    }

    /// Called once, on the loop's thread, or on the caller's own where the loop has ended.
    typealias Answer = @Sendable (Result<Head, any Error>) -> Void

    enum Phase { case new, waiting, active, ended }
    /// Why a caller wants a transfer to stop.
    enum AbortReason: Sendable { case cancelled, letGo }

    let checked: CheckedRequest
    let received = ReceivedBody()
    let upload: RequestUpload?
    let guardRules: OutboundGuard?
    let startedAt: UInt64

    var phase = Phase.new
    /// Whose turn it takes while it is active.
    var turn: FairQueue<String, HTTPTransfer>.Host?
    var answer: Answer?
    var handle: EasyHandle?
    /// Place in the driver's list of active transfers.
    var slot = 0
    var parser = ResponseHeadParser()
    var head: HTTPResponse?
    /// Decided here, before libcurl tells its own view of it.
    var failure: (any Error)?
    private var refusedReason: String?
    /// Of the host's addresses, at least one was not refused.
    private var hasFreeAddress = false
    /// Address and port, once connected.
    private var peer: String?
    /// How often libcurl was about to write the request: once, unless it tries again on another connection.
    var attempts = 0
    var isReceivePaused = false
    var isSendPaused = false
    private var board: HeadBoard?
    private var bytesReceived = 0
    private var bytesRead: Int64 = 0
    private var isUploadRead = false
    /// Length of an answer that came before the upload's end and stops it; `.max` when it is not known.
    private var earlyBodyLength: Int?
    private var connectDeadline: UInt64 = .max
    private var totalDeadline: UInt64 = .max
    private var lastActivity: UInt64 = 0

    init(_ checked: CheckedRequest, guardRules: OutboundGuard?) {
        self.checked = checked
        self.guardRules = guardRules
        self.startedAt = MonotonicClock.now
        if case .stream(let length, let next) = checked.request.body {
            self.upload = RequestUpload(length: length, next: next)
        } else {
            self.upload = nil
        }
        if let total = checked.request.timeouts.total { self.totalDeadline = self.startedAt.saturatingAdd(total.nanoseconds) }
    }

    /// The request's options on a handle from the pool.
    func begin(on handle: EasyHandle, board: HeadBoard, now: UInt64) {
        self.board = board
        self.phase = .active
        self.handle = handle
        self.lastActivity = now
        self.connectDeadline = now.saturatingAdd(self.checked.request.timeouts.connect.nanoseconds)
        handle.owner = self
        handle.set(url: self.checked.url)
        self.setMethod(on: handle)
        handle.set(headers: self.headerList())
    }

    private func setMethod(on handle: EasyHandle) {
        let method = self.checked.request.head.method
        handle.set(CURLOPT_HTTPGET, 1)
        switch self.checked.request.body {
        case .none where method == .head:
            handle.set(CURLOPT_NOBODY, 1)
        case .none where self.sendsBody:
            handle.set(CURLOPT_POST, 1)
            handle.set(body: [])
        case .none:
            break
        case .bytes(let bytes):
            handle.set(CURLOPT_POST, 1)
            handle.set(body: bytes)
        case .stream(let length, _):
            handle.set(CURLOPT_UPLOAD, 1)
            handle.set(CURLOPT_INFILESIZE_LARGE, length ?? -1)
        }
        handle.set(CURLOPT_CUSTOMREQUEST, text: method == .head ? nil : method.rawValue)
    }

    private func headerList() -> UnsafeMutablePointer<curl_slist>? {
        let fields = self.checked.request.head.headerFields
        var list: UnsafeMutablePointer<curl_slist>?
        if self.sendsBody {
            // No waiting for "100 Continue", and no Content-Type where none was given.
            list = curl_slist_append(nil, "Expect:")
            if fields[.contentType] == nil { list = curl_slist_append(list, "Content-Type:") }
        }
        for field in fields where !CheckedRequest.isLeftOut(field.name) {
            let value = field.value
            // libcurl leaves out a header that ends in a colon and writes an empty one for a semicolon.
            list = curl_slist_append(list, value.isEmpty ? "\(field.name.rawName);" : "\(field.name.rawName): \(value)")
        }
        return list
    }

    /// Tells the caller of the head, once.
    func tellHead() {
        guard let answer = self.answer, let head = self.head else { return }
        self.answer = nil
        if let body = self.checked.request.timeouts.body {
            self.totalDeadline = min(self.totalDeadline, MonotonicClock.now.saturatingAdd(body.nanoseconds))
        }
        answer(.success(Head(response: head, peer: self.peer)))
    }

    /// What went wrong, when libcurl says `result`.
    func explain(_ result: CURLcode) -> any Error {
        if let failure = self.failure { return failure }
        let sent = self.handle?.bytesSent ?? 0
        if let reason = self.refusedReason, !self.hasFreeAddress || self.attempts > 0 || result == CURLE_ABORTED_BY_CALLBACK {
            return TransportError(kind: .refusedAddress, surelyNotSent: sent == 0, detail: "\(reason) (\(self.checked.hostKey))")
        }
        let message = self.handle?.errorMessage(result) ?? String(cString: curl_easy_strerror(result))
        return TransportError(result, message: message, host: self.checked.hostKey, connected: self.attempts > 0, bytesSent: sent)
    }

    private var sendsBody: Bool {
        switch self.checked.request.body {
        case .bytes, .stream: true
        case .none: [.post, .put, .patch].contains(self.checked.request.head.method)
        }
    }

    // MARK: Time

    /// When this transfer must be looked at next; `.max` for never. While it connects, the silence that counts afterwards may begin any moment.
    func nextDeadline(now: UInt64) -> UInt64 {
        guard self.phase == .active else { return self.totalDeadline }
        let idle = self.attempts == 0 ? now.saturatingAdd(self.checked.request.timeouts.idle.nanoseconds) : self.idleDeadline
        return min(self.totalDeadline, self.attempts == 0 ? self.connectDeadline : .max, idle)
    }

    /// What has run out, if anything.
    func overdue(now: UInt64) -> TransportError? {
        if now >= self.totalDeadline {
            guard self.phase == .active else {
                return TransportError(kind: .busy, surelyNotSent: true, detail: "no turn came in time (\(self.checked.hostKey))")
            }
            return self.timedOut("the transfer took longer than \(self.checked.request.timeouts.total ?? .zero)")
        }
        guard self.phase == .active else { return nil }
        if self.attempts == 0 {
            guard now >= self.connectDeadline else { return nil }
            return self.timedOut("no connection within \(self.checked.request.timeouts.connect)")
        }
        return now >= self.idleDeadline ? self.timedOut("the connection was silent for \(self.checked.request.timeouts.idle)") : nil
    }

    private var idleDeadline: UInt64 {
        self.isReceivePaused ? .max : self.lastActivity.saturatingAdd(self.checked.request.timeouts.idle.nanoseconds)
    }

    private func timedOut(_ detail: String) -> TransportError {
        TransportError(kind: .timedOut, surelyNotSent: (self.handle?.bytesSent ?? 0) == 0, detail: "\(detail) (\(self.checked.hostKey))")
    }

    func touch() {
        if let board = self.board { self.lastActivity = board.now }
    }
}

extension HTTPTransfer: Queueable {
    var isWaiting: Bool { self.phase == .waiting }
}

extension HTTPTransfer: EasyHandleOwner {
    func mayUse(connection: EasyHandle.Connection) -> Bool {
        if self.guardRules != nil {
            let port = UInt16(truncatingIfNeeded: connection.port)
            guard let address = IPAddress(String(cString: connection.address)), self.mayConnect(to: address, port: port) else {
                self.refusedReason = self.refusedReason ?? "the connection's address is unknown"
                return false
            }
        }
        self.peer = self.handle?.peer(of: connection)
        self.attempts += 1
        self.touch()
        return self.attempts == 1 || self.mayRepeat()
    }

    /// libcurl sends a request again when a kept connection dies before any answer. The peer may have acted on it: only methods that may
    /// be repeated are (RFC 9110 9.2.2), unless nothing was written.
    private func mayRepeat() -> Bool {
        let sent = self.handle?.bytesSent ?? 0
        let idempotent: Set<HTTPRequest.Method> = [.get, .head, .options, .trace, .put, .delete]
        if sent == 0 || idempotent.contains(self.checked.request.head.method) { return true }
        self.failure = TransportError(
            kind: .connectionLost,
            surelyNotSent: false,
            detail: "the connection closed before any answer (\(self.checked.hostKey))"
        )
        return false
    }

    func mayConnect(to address: IPAddress, port: UInt16) -> Bool {
        if let reason = self.guardRules?.refusal(address: address, port: port, isEncrypted: self.checked.isEncrypted) {
            self.refusedReason = reason
            return false
        }
        self.hasFreeAddress = true
        return true
    }

    func received(line: UnsafeBufferPointer<UInt8>) -> Bool {
        self.touch()
        switch self.parser.add(line) {
        case .more:
            return true
        case .malformed(let detail):
            self.fail(.protocolError, detail)
            return false
        case .head(let head):
            self.head = head
            self.board?.headed.append(self)
            let declared = self.expectsBody(head) ? head.headerFields[.contentLength].flatMap { Int($0) } : 0
            // A refusal before the upload's end: nothing more of it is sent. libcurl stops by itself too, but not where the server says that
            // it will close the connection.
            if head.status.code >= 300, self.upload != nil, !self.isUploadRead {
                self.earlyBodyLength = declared ?? .max
                self.endIfAnsweredEarly()
            }
            return declared.map { self.fits($0) } ?? true
        }
    }

    func received(body: UnsafeRawBufferPointer) -> EasyHandle.BodyVerdict {
        self.touch()
        guard self.fits(self.bytesReceived + body.count) else { return .abort }
        guard self.received.append(body) else {
            self.isReceivePaused = true
            return .pause
        }
        self.bytesReceived += body.count
        self.endIfAnsweredEarly()
        return .taken
    }

    private func endIfAnsweredEarly() {
        if self.bytesReceived == self.earlyBodyLength { self.board?.answeredEarly.append(self) }
    }

    func readUpload(into buffer: UnsafeMutableRawBufferPointer) -> RequestUpload.Piece {
        guard let upload = self.upload else { return .end }
        let piece = self.earlyBodyLength == nil ? upload.read(into: buffer) : .nothing
        switch piece {
        case .bytes(let count):
            self.touch()
            self.bytesRead += Int64(count)
            self.isUploadRead = self.bytesRead == upload.length
        case .nothing: self.isSendPaused = true
        case .failed: self.failure = upload.failure
        case .end: self.isUploadRead = true
        }
        return piece
    }

    private func expectsBody(_ head: HTTPResponse) -> Bool {
        self.checked.request.head.method != .head && head.status.code != 204 && head.status.code != 304
    }

    private func fits(_ bytes: Int) -> Bool {
        let limit = self.checked.request.maximumResponseBytes
        if bytes <= limit { return true }
        self.fail(.tooLarge, "the response is larger than \(limit) bytes")
        return false
    }

    private func fail(_ kind: TransportError.Kind, _ detail: String) {
        self.failure = TransportError(kind: kind, surelyNotSent: false, detail: "\(detail) (\(self.checked.hostKey))")
    }
}
