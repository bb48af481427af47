import Foundation
package import HTTPTypes
import Metrics
package import Models
package import Transport

/// Calls one service of the house: picks a healthy replica, signs the identity, passes request id and traceparent on.
package struct ServiceClient: Sendable {
    private let caller: ServiceName
    private let callee: ServiceName
    private let pool: ReplicaPool
    /// Of each replica, as the pool counts them.
    private let origins: [Result<HTTPOrigin, any Error>]
    private let identities: IdentityKeys
    private let client: HTTPClient

    /// Tries of one call, the first included.
    private static let tries = 4

    package init(from caller: ServiceName, to callee: ServiceName, replicas: [String], identities: IdentityKeys, client: HTTPClient) {
        self.caller = caller
        self.callee = callee
        self.pool = ReplicaPool(replicas.count)
        self.origins = replicas.map { url in Result { try HTTPOrigin(url) } }
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
        let path = route.path(parameters) + Self.queryText(query)
        let exchange = Exchange(
            method: HTTPRequest.Method(rawValue: route.method.rawValue) ?? .get,
            path: path,
            headers: body == nil ? [:] : [.contentType: "application/json"],
            body: body.map { .bytes($0) } ?? .none,
            principal: principal,
            requestID: RequestScope.current?.requestID ?? EventID.make("req"),
            timeouts: Self.timeouts(route)
        )
        let deadline = ContinuousClock.now + .seconds(route.timeout)
        return try await self.retrying(isIdempotent: isIdempotent, until: deadline) { index in
            let response = try await self.exchange(exchange, with: index)
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
    package func send(
        _ method: HTTPRequest.Method,
        path: String,
        headers: HTTPFields,
        body: HTTPClientRequest.Body,
        principal: Principal?,
        publicURL: String?,
        clientAddress: String?,
        requestID: String,
        timeouts: Timeouts
    ) async throws -> HTTPClientResponse {
        let exchange = Exchange(
            method: method,
            path: path,
            headers: headers,
            body: body,
            principal: principal,
            publicURL: publicURL,
            clientAddress: clientAddress,
            requestID: requestID,
            timeouts: timeouts
        )
        let deadline = ContinuousClock.now + (timeouts.total ?? timeouts.connect * 2)
        return try await self.retrying(isIdempotent: false, mayRepeat: exchange.isRepeatable, until: deadline) { index in
            try await self.exchange(exchange, with: index)
        }
    }

    private static func queryText(_ query: [(String, String)]) -> String {
        guard !query.isEmpty else { return "" }
        return "?" + query.map { "\(PercentCoding.encode($0.0))=\(PercentCoding.encode($0.1))" }.joined(separator: "&")
    }

    private static func timeouts(_ route: Route) -> Timeouts {
        var timeouts = Timeouts()
        timeouts.connect = .seconds(2)
        timeouts.total = .seconds(route.timeout)
        timeouts.idle = .seconds(route.timeout)
        return timeouts
    }

    // MARK: - One try, and the next

    private func exchange(_ exchange: Exchange, with index: Int) async throws -> HTTPClientResponse {
        let start = ContinuousClock.now
        var outcome = ReplicaPool.Outcome.other
        var status = "error"
        defer {
            self.pool.finish(index, outcome)
            Metrics.Timer(label: "peer_request_duration", dimensions: [("peer", self.callee.rawValue), ("status", status)])
                .record(duration: ContinuousClock.now - start)
        }
        do {
            let response = try await self.client.send(try self.request(exchange, at: self.origins[index].get()))
            outcome = .answered
            status = "\(response.head.status.code / 100)xx"
            return response
        } catch let error as TransportError {
            // A connect time-out counts, too: what was surely not sent found nobody to take it.
            if error.surelyNotSent, ![.invalidRequest, .shuttingDown, .busy].contains(error.kind) { outcome = .notConnected }
            throw error
        }
    }

    private func request(_ exchange: Exchange, at origin: HTTPOrigin) throws -> HTTPClientRequest {
        let scope = RequestScope.current
        let identity = InternalIdentity(
            caller: self.caller,
            callee: self.callee,
            principal: exchange.principal,
            requestID: exchange.requestID,
            publicURL: exchange.publicURL,
            clientAddress: exchange.clientAddress,
            expires: Int64(Date().timeIntervalSince1970.rounded(.down)) + IdentityKeys.lifetime
        )
        let signed = SignedRequest(method: exchange.method.rawValue, path: exchange.path, body: exchange.signedBody)
        var headers = exchange.headers
        headers[.switchboardIdentity] = try self.identities.sign(identity, for: signed)
        headers[.requestID] = exchange.requestID
        headers[.traceParent] = (scope?.traceParent ?? TraceParent()).description
        return HTTPClientRequest(
            exchange.method,
            origin,
            path: exchange.path,
            headers: headers,
            body: exchange.body,
            timeouts: exchange.timeouts,
            maximumResponseBytes: exchange.maximumResponseBytes
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
                let seconds = Int(untilBack.components.seconds) + 1
                failure = ServiceCallError(self.callee, .notSent, retryAfter: seconds, detail: "no replica is reachable")
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
            let wait = max(pause, Backoff(base: .milliseconds(50), limit: .seconds(1)).delay(afterFailures: number))
            guard number < Self.tries, mayRepeat, failure.mayBeRepeated(isIdempotent: isIdempotent), ContinuousClock.now + wait < deadline
            else { throw failure }
            try await Task.sleep(for: wait)
        }
        throw CancellationError()
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

/// One request as it goes to whichever replica.
private struct Exchange: Sendable {
    var method: HTTPRequest.Method
    var path: String
    var headers: HTTPFields
    var body: HTTPClientRequest.Body
    var principal: Principal?
    var publicURL: String?
    var clientAddress: String?
    var requestID: String
    var timeouts: Timeouts

    /// Streams are bounded by their reader; whole answers by ``RequestLimits/internalBody``.
    var maximumResponseBytes: Int { .max }

    var signedBody: SignedRequest.Body {
        switch self.body {
        case .none: .bytes([])
        case .bytes(let bytes): .bytes(bytes)
        case .stream: .streamed
        }
    }

    var isRepeatable: Bool {
        if case .stream = self.body { return false }
        return true
    }
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
