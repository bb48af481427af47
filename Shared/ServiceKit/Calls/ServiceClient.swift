import Foundation
import HTTPTypes
package import Models
package import Transport

/// Calls one service of the house: picks a healthy replica, signs the identity, passes request id and traceparent on.
package struct ServiceClient: Sendable {
    private let caller: ServiceName
    let callee: ServiceName
    let pool: ReplicaPool
    /// Of each replica, as the pool counts them.
    let origins: [Result<HTTPOrigin, any Error>]
    /// Whether ``begin(_:on:for:)`` can reach the replicas: it speaks plain HTTP.
    package let canBeginOnLoops: Bool
    let identities: IdentityKeys
    private let client: HTTPClient

    private struct Exchanged: Hashable {
        var peer: ServiceName
        /// 0 where no answer came.
        var statusClass: Int
    }

    private static let durations = TimerFamily<Exchanged>("peer_request_duration") {
        [("peer", $0.peer.rawValue), ("status", $0.statusClass == 0 ? "error" : "\($0.statusClass)xx")]
    }

    /// Tries of one call, the first included.
    static let tries = 4

    package init(from caller: ServiceName, to callee: ServiceName, replicas: [String], identities: IdentityKeys, client: HTTPClient) {
        self.caller = caller
        self.callee = callee
        self.pool = ReplicaPool(replicas.count)
        self.origins = replicas.map { url in Result { try HTTPOrigin(url) } }
        self.canBeginOnLoops = self.origins.allSatisfy { if case .success(let origin) = $0 { !origin.isEncrypted } else { false } }
        self.identities = identities
        self.client = client
    }

    /// JSON in, JSON out. Retried on another replica when surely not sent, and on failure where `isIdempotent`.
    /// - principal: on whose behalf; only the gateway may say so.
    /// - Throws: ``ServiceCallError``, `CancellationError`.
    package func call<Answer: Decodable>(
        _ route: Route,
        parameters: [String: String] = [:],
        query: [(String, String)] = [],
        body: (any Encodable & Sendable)? = nil,
        principal: Principal? = nil,
        isIdempotent: Bool,
        as type: Answer.Type = Answer.self
    ) async throws -> Answer {
        let answer = try await self.callBytes(
            route,
            parameters,
            query,
            body.map { try JSONCoding.encode($0) },
            isIdempotent,
            principal: principal
        )
        if let none = NoAnswer() as? Answer { return none }
        do {
            return try JSONCoding.decode(type, from: answer)
        } catch {
            throw ServiceCallError(self.callee, .unreadable, detail: "\(route.name) answered what cannot be decoded: \(error)")
        }
    }

    /// As ``call(_:parameters:query:body:isIdempotent:as:)`` with JSON text that is there already.
    package func callBytes(
        _ route: Route,
        _ parameters: [String: String] = [:],
        _ query: [(String, String)] = [],
        _ body: [UInt8]?,
        _ isIdempotent: Bool,
        principal: Principal? = nil
    ) async throws -> [UInt8] {
        var request = OutgoingRequest(
            HTTPRequest.Method(rawValue: route.method.rawValue) ?? .get,
            route.path(parameters) + Self.queryText(query),
            requestID: RequestScope.current?.requestID ?? EventID.make("req"),
            timeouts: Timeouts(route)
        )
        if let body {
            request.headers[.contentType] = "application/json"
            request.body = .bytes(body)
        }
        request.principal = principal
        let call = request
        let deadline = ContinuousClock.now + .seconds(route.timeout)
        return try await self.retrying(isIdempotent: isIdempotent, until: deadline) { index in
            let response = try await self.exchange(call, with: index)
            let bytes = try await response.collect(upTo: RequestLimits.internalBody)
            let status = response.head.status.code
            guard (200..<300).contains(status) else {
                throw ServiceCallError(
                    self.callee,
                    .answered(status: status),
                    answer: Problem(parsing: bytes),
                    retryAfter: response.head.headerFields[.retryAfter].flatMap { Int($0) },
                    detail: "\(route.name) answered \(status)"
                )
            }
            return bytes
        }
    }

    /// The raw exchange: streams both ways. Used for NDJSON answers and by the gateway's proxy. Answers whatever the peer answered.
    /// Tried again only where surely not sent, and never once a streamed body was begun.
    /// - Throws: ``ServiceCallError``, `CancellationError`.
    package func send(_ request: OutgoingRequest) async throws -> HTTPClientResponse {
        try await self.retrying(isIdempotent: false, mayRepeat: request.isRepeatable, until: Self.deadline(of: request)) { index in
            try await self.exchange(request, with: index)
        }
    }

    private static func deadline(of request: OutgoingRequest) -> ContinuousClock.Instant {
        .now + (request.timeouts.total ?? request.timeouts.connect * 2)
    }

    private static func queryText(_ query: [(String, String)]) -> String {
        guard !query.isEmpty else { return "" }
        return "?" + query.map { "\(PercentCoding.encode($0.0))=\(PercentCoding.encode($0.1))" }.joined(separator: "&")
    }

    // MARK: - One try, and the next

    private func exchange(_ request: OutgoingRequest, with index: Int) async throws -> HTTPClientResponse {
        let start = ContinuousClock.now
        let result: Result<HTTPClientResponse, any Error>
        do {
            result = .success(try await self.client.send(try self.signed(request, at: self.origins[index].get())))
        } catch {
            result = .failure(error)
        }
        self.note(result, of: index, since: start)
        return try result.get()
    }

    /// What a try tells of its replica.
    private func note(_ result: Result<HTTPClientResponse, any Error>, of index: Int, since start: ContinuousClock.Instant) {
        var outcome = ReplicaPool.Outcome.other
        var statusClass = 0
        switch result {
        case .success(let response):
            outcome = .answered
            statusClass = response.head.status.code / 100
        case .failure(let error as TransportError):
            // A connect time-out counts, too: what was surely not sent found nobody to take it.
            if error.surelyNotSent, ![.invalidRequest, .shuttingDown, .busy].contains(error.kind) { outcome = .notConnected }
        case .failure: break
        }
        self.note(outcome, statusClass: statusClass, of: index, since: start)
    }

    func note(_ outcome: ReplicaPool.Outcome, statusClass: Int, of index: Int, since start: ContinuousClock.Instant) {
        self.pool.finish(index, outcome)
        Self.durations.record(ContinuousClock.now - start, Exchanged(peer: self.callee, statusClass: statusClass))
    }

    func noReplica(_ untilBack: Duration) -> ServiceCallError {
        let seconds = Int(untilBack.components.seconds) + 1
        return ServiceCallError(self.callee, .notSent, retryAfter: seconds, detail: "no replica is reachable")
    }

    /// Who asks, as far as it is signed.
    func identity(_ principal: Principal?, _ requestID: String, _ publicURL: String?, _ clientAddress: String?) -> InternalIdentity {
        InternalIdentity(
            caller: self.caller,
            callee: self.callee,
            principal: principal,
            requestID: requestID,
            publicURL: publicURL,
            clientAddress: clientAddress,
            expires: Int64(Date().timeIntervalSince1970.rounded(.down)) + IdentityKeys.lifetime
        )
    }

    private func signed(_ request: OutgoingRequest, at origin: HTTPOrigin) throws -> HTTPClientRequest {
        let identity = self.identity(request.principal, request.requestID, request.publicURL, request.clientAddress)
        let signed = SignedRequest(method: request.method.rawValue, path: request.path, body: request.signedBody)
        var headers = request.headers
        headers[.switchboardIdentity] = try self.identities.sign(identity, for: signed)
        headers[.requestID] = request.requestID
        headers[.traceParent] = request.traceParent.description
        return HTTPClientRequest(
            request.method,
            HTTPTarget(origin, path: request.path),
            headers: headers,
            body: request.body,
            timeouts: request.timeouts,
            maximumResponseBytes: request.maximumResponseBytes
        )
    }

    private func retrying<Answer: Sendable>(
        isIdempotent: Bool,
        mayRepeat: Bool = true,
        until deadline: ContinuousClock.Instant,
        _ attempt: (_ index: Int) async throws -> Answer
    ) async throws -> Answer {
        var tried: Set<Int> = []
        for number in 1... {
            let failure: ServiceCallError
            var pause = Duration.zero
            switch self.pool.pick(avoiding: tried) {
            case .none(let untilBack):
                failure = self.noReplica(untilBack)
                pause = untilBack
            case .replica(let index):
                tried.insert(index)
                do {
                    return try await attempt(index)
                } catch let error as TransportError {
                    failure = self.failure(error)
                } catch let error as ServiceCallError {
                    failure = error
                }
            }
            let wait = max(pause, Self.pause(number))
            guard number < Self.tries, mayRepeat, failure.mayBeRepeated(isIdempotent: isIdempotent), ContinuousClock.now + wait < deadline
            else { throw failure }
            try await Task.sleep(for: wait)
        }
        throw CancellationError()
    }

    static func pause(_ failures: Int) -> Duration {
        Backoff(base: .milliseconds(50), limit: .seconds(1)).delay(afterFailures: failures)
    }

    private func failure(_ error: TransportError) -> ServiceCallError {
        if error.surelyNotSent { return ServiceCallError(self.callee, .notSent, detail: "\(error)") }
        return ServiceCallError(self.callee, error.kind == .timedOut ? .timedOut : .broken, detail: "\(error)")
    }
}

/// For routes that answer 204 or whose answer does not matter.
package struct NoAnswer: Decodable, Sendable {
    package init() {}
    package init(from decoder: any Decoder) throws {}
}

extension ServiceCallError {
    /// Surely nothing happened, or happening twice does not matter.
    fileprivate func mayBeRepeated(isIdempotent: Bool) -> Bool {
        switch self.kind {
        case .notSent: true
        case .answered(let status): isIdempotent && (status == 502 || status == 503 || status == 504)
        case .broken, .timedOut: isIdempotent
        case .unreadable: false
        }
    }
}
