import CCurl
import Models

/// One connection to a mail server: opened by libcurl as far as AUTH (CURLOPT_CONNECT_ONLY), then spoken to through `curl_easy_send` and
/// `curl_easy_recv`. Belongs to the loop's thread.
final class SMTPConnection {
    enum Phase { case connecting, idle, busy, closed }

    enum Outcome {
        /// The server's word on the job.
        case settled(SMTPReply)
        /// The connection is of no more use.
        case lost(TransportError)
    }

    let server: SMTPServer
    let handle: EasyHandle
    private let settings: SMTPClient.Configuration
    let openedAt: UInt64

    var phase = Phase.connecting
    var job: SMTPJob?
    private(set) var messages = 0
    private var session = SMTPSession()
    private var lastActivity: UInt64
    private var socket: curl_socket_t = -1
    private var refusedReason: String?
    private var hasFreeAddress = false

    private var parser = SMTPReplyParser()
    private var transaction: SMTPTransaction?
    /// What the last transaction left.
    private var state = SMTPTransaction.Session.clean
    private var output: [UInt8] = []
    private var written = 0
    private var isMessageBegun = false
    /// The final dot has left: the server may have taken the message.
    private(set) var isMessageWritten = false

    /// nil when libcurl is out of memory.
    init?(job: SMTPJob, settings: SMTPClient.Configuration, now: UInt64) {
        guard let handle = EasyHandle(protocols: "smtp,smtps", userAgent: "") else { return nil }
        self.server = job.server
        self.handle = handle
        self.settings = settings
        self.openedAt = now
        self.lastActivity = now
        self.job = job
        handle.owner = self
        handle.set(url: job.url)
        handle.set(CURLOPT_CONNECT_ONLY, 1)
        handle.set(CURLOPT_USE_SSL, job.server.security == .startTLS ? Int(CURLUSESSL_ALL.rawValue) : Int(CURLUSESSL_NONE.rawValue))
        handle.set(CURLOPT_SASL_IR, 1)
        if let username = job.server.username {
            handle.set(CURLOPT_USERNAME, text: username)
            handle.set(CURLOPT_PASSWORD, text: job.server.password?.reveal() ?? "")
        }
    }

    var isReused: Bool { self.messages > 1 }

    /// What `poll` is to wait for; nil while libcurl watches the socket itself.
    var watched: curl_waitfd? {
        guard self.phase == .idle || self.phase == .busy, self.socket != CURL_SOCKET_BAD else { return nil }
        let writing = self.written < self.output.count ? CURL_WAIT_POLLOUT : 0
        return curl_waitfd(fd: self.socket, events: Int16(CURL_WAIT_POLLIN | writing), revents: 0)
    }

    // MARK: Connecting

    /// libcurl has ended the set-up. nil when the connection can carry messages.
    func connected(_ result: CURLcode) -> TransportError? {
        guard result == CURLE_OK else { return self.explain(result) }
        self.socket = ccurl_get_socket(self.handle.easy)
        // The secret is not needed again on this connection.
        self.handle.set(CURLOPT_PASSWORD, text: nil)
        if self.server.username != nil, !self.session.isAuthenticated {
            return TransportError(kind: .authentication, surelyNotSent: true, detail: "the server offers no authentication (\(self.place))")
        }
        return nil
    }

    /// The server's last word of the set-up.
    var sessionReply: SMTPReply? { self.session.lastReply }

    private func explain(_ result: CURLcode) -> TransportError {
        if let reason = self.refusedReason, !self.hasFreeAddress || result == CURLE_ABORTED_BY_CALLBACK {
            return TransportError(kind: .refusedAddress, surelyNotSent: true, detail: "\(reason) (\(self.place))")
        }
        if let reply = self.session.lastReply, reply.code >= 400 {
            let kind: TransportError.Kind = reply.isTransient ? .connect : .authentication
            return TransportError(kind: kind, surelyNotSent: true, detail: "\(reply.code) \(reply.text) (\(self.place))")
        }
        let spoke = self.session.lastReply != nil
        return TransportError(result, message: self.handle.errorMessage(result), host: self.place, connected: spoke, bytesSent: 0)
    }

    private var place: String { "\(self.server.host):\(self.server.port)" }

    // MARK: Time

    func nextDeadline(now: UInt64) -> UInt64 {
        switch self.phase {
        case .connecting:
            // Until TCP stands, `connectTimeout`; after that each reply of the set-up has its own time.
            let connect = self.openedAt.saturatingAdd(self.settings.connectTimeout.nanoseconds)
            let reply = self.lastActivity.saturatingAdd(self.settings.replyTimeout.nanoseconds)
            let waiting = self.isTCPConnected ? reply : min(connect, now.saturatingAdd(self.settings.replyTimeout.nanoseconds))
            return min(waiting, self.job?.deadline ?? .max)
        case .busy:
            return min(self.lastActivity.saturatingAdd(self.settings.replyTimeout.nanoseconds), self.job?.deadline ?? .max)
        case .idle: return self.lastActivity.saturatingAdd(self.settings.idleTimeout.nanoseconds)
        case .closed: return .max
        }
    }

    private var isTCPConnected: Bool {
        self.session.lastReply != nil || ccurl_get_offset(self.handle.easy, CURLINFO_CONNECT_TIME_T) > 0
    }

    func timedOut() -> TransportError {
        let what = self.phase == .connecting && !self.isTCPConnected ? "no connection" : "no reply"
        return TransportError(kind: .timedOut, surelyNotSent: !self.isMessageWritten, detail: "\(what) in time (\(self.place))")
    }

    func mayBeKept(now: UInt64) -> Bool {
        self.state != .spent && self.messages < self.settings.maximumMessagesPerConnection
            && now - self.openedAt < self.settings.maximumConnectionAge.nanoseconds
    }

    // MARK: A transaction

    /// Begins to send the job's message on a connection that stands.
    func begin(_ job: SMTPJob, _ envelope: SMTPEnvelope) -> Outcome? {
        self.job = job
        job.connection = self
        self.phase = .busy
        self.messages += 1
        self.lastActivity = MonotonicClock.now
        self.isMessageBegun = false
        self.isMessageWritten = false
        var transaction = SMTPTransaction(envelope)
        self.output = Array(transaction.open(self.session.capabilities, after: self.state).utf8)
        self.transaction = transaction
        return self.turn()
    }

    /// Writes and reads as far as both go without waiting.
    func turn() -> Outcome? {
        if let lost = self.flush() { return .lost(lost) }
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            while self.phase != .closed {
                var count = 0
                let result = curl_easy_recv(self.handle.easy, buffer.baseAddress, buffer.count, &count)
                if result == CURLE_AGAIN {
                    // A server with Nagle's algorithm holds its next small reply back until the last one is acknowledged.
                    ccurl_acknowledge_at_once(ccurl_get_socket(self.handle.easy))
                    return nil
                }
                guard result == CURLE_OK, count > 0 else { return .lost(self.lost("the server closed the connection")) }
                if let outcome = self.take(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { return outcome }
            }
            return nil
        }
    }

    private func flush() -> TransportError? {
        while self.written < self.output.count {
            var count = 0
            let result = self.output.withUnsafeBytes { bytes in
                curl_easy_send(self.handle.easy, bytes.baseAddress.map { $0 + self.written }, bytes.count - self.written, &count)
            }
            if result == CURLE_AGAIN { return nil }
            guard result == CURLE_OK else { return self.lost("the connection broke") }
            self.written += count
            self.lastActivity = MonotonicClock.now
        }
        self.isMessageWritten = self.isMessageBegun
        self.output = []
        self.written = 0
        return nil
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> Outcome? {
        do {
            for reply in try self.parser.add(bytes) {
                // A whole reply, not each byte of one, counts as a sign of life.
                self.lastActivity = MonotonicClock.now
                if let outcome = self.take(reply) { return outcome }
            }
            return nil
        } catch {
            return .lost(self.lost(error.detail, kind: .protocolError))
        }
    }

    private func take(_ reply: SMTPReply) -> Outcome? {
        switch self.transaction?.take(reply, isMessageWritten: self.isMessageWritten) {
        case .wait:
            return nil
        case .write(let command):
            self.output += Array(command.utf8)
        case .writeMessage:
            self.output = self.transaction?.envelope.data ?? []
            self.written = 0
            self.isMessageBegun = true
        case .done(let reply, let state):
            self.transaction = nil
            self.state = state
            return .settled(reply)
        case .broken(let detail):
            return .lost(self.lost(detail, kind: .protocolError))
        case nil:
            return .lost(self.lost("the server spoke unasked: \(reply.code) \(reply.text)"))
        }
        return self.flush().map { .lost($0) }
    }

    func lost(_ detail: String, kind: TransportError.Kind = .connectionLost) -> TransportError {
        TransportError(kind: kind, surelyNotSent: !self.isMessageWritten, detail: "\(detail) (\(self.place))")
    }

    /// Says good-bye without waiting for the answer.
    func quit() {
        guard self.phase == .idle else { return }
        var count = 0
        _ = "QUIT\r\n".withCString { curl_easy_send(self.handle.easy, $0, 6, &count) }
    }
}

extension SMTPConnection: EasyHandleOwner {
    func mayConnect(to address: IPAddress, port: UInt16) -> Bool {
        if let reason = self.settings.guardRules?.refusal(address: address, port: port, isEncrypted: true) {
            self.refusedReason = reason
            return false
        }
        self.hasFreeAddress = true
        return true
    }

    /// Connections are never shared between handles here: the address was vetted when its socket was opened.
    func mayUse(connection: EasyHandle.Connection) -> Bool { true }

    func received(line: UnsafeBufferPointer<UInt8>) -> Bool {
        if self.session.add(line) { self.lastActivity = MonotonicClock.now }
        return true
    }

    func received(body: UnsafeRawBufferPointer) -> EasyHandle.BodyVerdict { .taken }

    func readUpload(into buffer: UnsafeMutableRawBufferPointer) -> RequestUpload.Piece { .end }
}
