package import Logging
import Synchronization

/// A libcurl multi loop on a thread of its own. Inside: one for the house's own services. Outside: one for strangers.
///
/// HTTP/1.1 with keep-alive. Never: redirects, cookies, a proxy from the environment, `Expect: 100-continue`, decompression (ask with
/// `Accept-Encoding` and decode yourself), a name look-up or a handshake on the caller's thread.
package final class HTTPClient: Sendable {
    package struct Configuration: Sendable {
        /// Shown as the thread's name, at most 15 bytes.
        package var name: String
        /// Transfers under way at once, all hosts together; more wait in order.
        package var maximumInFlight: Int
        /// Transfers under way at once to one host and port; nil for no such limit. Hosts take turns.
        package var maximumPerHost: Int?
        /// Vet every address before connecting; nil for operator-given URLs.
        package var guardRules: OutboundGuard?
        package var userAgent: String

        package init(name: String, maximumInFlight: Int, maximumPerHost: Int?, guardRules: OutboundGuard?, userAgent: String) {
            self.name = name
            self.maximumInFlight = maximumInFlight
            self.maximumPerHost = maximumPerHost
            self.guardRules = guardRules
            self.userAgent = userAgent
        }

        /// For the house's own services: capped in flight, no guard. Beyond 64 in flight libcurl needs twice the time for each.
        package static func inside() -> Configuration {
            Configuration(name: "http-inside", maximumInFlight: 64, maximumPerHost: nil, guardRules: nil, userAgent: "Switchboard")
        }

        /// For strangers: per-host turns; the guard vets what tenants give, `nil` for provider base URLs given by the operator. The total is
        /// high, so that it takes very many hanging hosts to hold up the rest. Many tenants' targets are on one host (hooks.zapier.com), so how
        /// many calls each may have under way is for those who queue them to say.
        package static func outside(guard rules: OutboundGuard?) -> Configuration {
            Configuration(
                name: rules == nil ? "http-providers" : "http-strangers",
                maximumInFlight: rules == nil ? 512 : 1024,
                maximumPerHost: rules == nil ? 64 : nil,
                guardRules: rules,
                userAgent: "Switchboard"
            )
        }
    }

    private let configuration: Configuration
    private let loop: CurlLoop<HTTPDriver>
    private let counters = LoadCounters()
    private let logger: Logger

    package init(_ configuration: Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        let counters = self.counters
        self.loop = CurlLoop(name: configuration.name, maximumConnections: configuration.maximumInFlight) {
            HTTPDriver(configuration, load: counters)
        }
    }

    deinit {
        _ = self.loop.submit(.stop(deadline: 0))
    }

    /// How much is under way and how much waits, for metrics.
    package var load: TransportLoad { self.counters.load }

    /// Sends and answers as soon as the final response head is there; the body streams with back-pressure.
    /// Cancelling the task aborts the transfer. Redirects are answered, not followed.
    /// A request is repeated in one case only: a kept connection turns out to be closed, nothing of an answer has come, and the method may be
    /// repeated (or nothing was written).
    /// - Throws: ``TransportError``, `CancellationError`, and whatever a streamed body's source throws.
    package func send(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        let transfer = HTTPTransfer(try CheckedRequest(request), guardRules: self.configuration.guardRules)
        let head = try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<HTTPTransfer.Head, any Error>) in
                self.submit(transfer) { continuation.resume(with: $0) }
            }
        } onCancel: {
            _ = self.loop.submit(.abort(transfer, .cancelled))
        }
        return self.response(head, of: transfer)
    }

    private func submit(_ transfer: HTTPTransfer, _ answer: @escaping HTTPTransfer.Answer) {
        let loop = self.loop
        transfer.upload?.start { _ = loop.submit(.resumeSending(transfer)) }
        if loop.submit(.send(transfer, answer)) { return }
        transfer.upload?.close()
        answer(.failure(TransportError(kind: .shuttingDown, surelyNotSent: true, detail: "the client is shut down")))
    }

    private func response(_ head: HTTPTransfer.Head, of transfer: HTTPTransfer) -> HTTPClientResponse {
        let body = ResponseBodyStream(lease: BodyLease(transfer: transfer, loop: self.loop))
        return HTTPClientResponse(head: head.response, body: body, peer: head.peer)
    }

    /// Lets transfers in flight end until the deadline, then aborts them and stops the thread; what waits is refused at once. Idempotent.
    package func shutdown(within limit: Duration) async {
        _ = self.loop.submit(.stop(deadline: MonotonicClock.now.saturatingAdd(limit.nanoseconds)))
        await withUnsafeContinuation { continuation in
            if !self.loop.submit(.whenStopped(continuation)) { continuation.resume() }
        }
        self.logger.debug("HTTP client stopped", metadata: ["client": "\(self.configuration.name)"])
    }
}

/// What a client is doing at one moment.
package struct TransportLoad: Sendable, Equatable {
    package var inFlight: Int
    package var queued: Int
}

/// Written by a loop, read by anyone.
final class LoadCounters: Sendable {
    private let inFlight = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)

    var load: TransportLoad {
        TransportLoad(inFlight: self.inFlight.load(ordering: .relaxed), queued: self.waiting.load(ordering: .relaxed))
    }

    func set(inFlight: Int, waiting: Int) {
        self.inFlight.store(inFlight, ordering: .relaxed)
        self.waiting.store(waiting, ordering: .relaxed)
    }
}
