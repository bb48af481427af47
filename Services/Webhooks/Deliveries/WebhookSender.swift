import Database
import Encryption
import Foundation
import HTTPTypes
import Models
import Transport

/// Makes one attempt: opens the target, signs the event, posts it, reads the answer.
struct WebhookSender: Sendable {
    /// Bytes of the answer that are kept.
    static let excerptLength = 1024
    /// Bytes of the answer that are read, so that the connection can be used again; more of it is not waited for.
    static let readLength = 16 << 10
    /// How long the answer's body is read once its head is there: the event was taken, and a body that drips holds a place that others need.
    static let readTime = Duration.seconds(1)

    let client: HTTPClient
    let signingKeys: SigningKeyStore
    /// Of subscriptions that have none of their own.
    let timeout: Duration

    /// Never throws for what the target or the network does: that is the result.
    /// - Throws: `CancellationError`.
    func attempt(_ delivery: ClaimedDelivery) async throws -> AttemptResult {
        let clock = ContinuousClock()
        let (start, startedAt) = (clock.now, Date())
        var result = try await self.exchange(delivery)
        result.startedAt = startedAt
        result.duration = clock.now - start
        return result
    }

    private func exchange(_ delivery: ClaimedDelivery) async throws -> AttemptResult {
        if let calledOff = delivery.target.calledOff { return .failed(calledOff) }
        guard let endpoint = delivery.endpoint else { return .failed(.sealed) }
        guard let target = endpoint.target else { return .failed(DeliveryFailure(.invalidRequest)) }
        let request: HTTPClientRequest
        do {
            guard let body = try WebhookBody.bytes(of: delivery, endpoint.template) else { return .failed(.expired) }
            request = try await self.request(to: target, of: endpoint, body, for: delivery)
        } catch is PayloadTemplateError {
            return .failed(.template)
        } catch is EncryptionError {
            return .failed(.sealed)
        } catch is DatabaseError {
            // The organization's signing key could not be read: the target was not asked.
            return .failed(.busy)
        }
        do {
            return try await self.read(try await self.client.send(request))
        } catch let error as TransportError {
            return .failed(DeliveryFailure(error.kind), excerpt: error.detail)
        }
    }

    private func request(
        to target: HTTPTarget,
        of endpoint: Endpoint,
        _ body: [UInt8],
        for delivery: ClaimedDelivery
    ) async throws -> HTTPClientRequest {
        let now = Date()
        let timestamp = Int64(now.timeIntervalSince1970)
        var headers = HTTPFields()
        for header in endpoint.headers { headers[header.name] = header.value.reveal() }
        headers[.contentType] = "application/json"
        headers[.userAgent] = headers[.userAgent] ?? "Switchboard-Webhooks/1"
        headers[WebhookHeader.id] = delivery.eventID
        headers[WebhookHeader.timestamp] = String(timestamp)
        headers[WebhookHeader.signature] = try WebhookSignature.header(
            id: delivery.eventID,
            timestamp: timestamp,
            body: body,
            secrets: endpoint.signatures.contains(.v1) ? endpoint.secrets(at: now) : [],
            keys: endpoint.signatures.contains(.v1a) ? try await self.signingKeys.signingKeys(of: delivery.organizationID) : []
        )
        headers[WebhookHeader.traceParent] = WebhookHeader.traceParent(eventID: delivery.eventID)
        var timeouts = Timeouts()
        let limit = min(endpoint.timeout ?? self.timeout, self.timeout)
        timeouts.total = limit
        timeouts.body = Self.readTime
        timeouts.idle = limit
        timeouts.connect = min(timeouts.connect, limit)
        return HTTPClientRequest(.post, target, headers: headers, body: .bytes(body), timeouts: timeouts)
    }

    /// The status decides. A body that is too long, or breaks off, or never ends changes nothing about an event that was taken.
    private func read(_ response: HTTPClientResponse) async throws -> AttemptResult {
        let status = response.head.status.code
        var result = AttemptResult(status: status, duration: .zero)
        if !(200..<300).contains(status) { result.failure = .status(status) }
        if let value = response.head.headerFields[.retryAfter] { result.retryAfter = RetryAfter.seconds(value, now: Date()) }
        var bytes: [UInt8] = []
        do {
            for try await chunk in response.body {
                bytes.append(contentsOf: chunk)
                if bytes.count >= Self.readLength { break }
            }
        } catch is TransportError {
            // Said above.
        }
        result.excerpt = CleanText.block(bytes, limit: Self.excerptLength)
        return result
    }
}

extension AttemptResult {
    fileprivate static func failed(_ failure: DeliveryFailure, excerpt: String? = nil) -> AttemptResult {
        AttemptResult(
            failure: failure,
            excerpt: excerpt.map { CleanText.block($0.utf8, limit: WebhookSender.excerptLength) },
            duration: .zero
        )
    }
}
