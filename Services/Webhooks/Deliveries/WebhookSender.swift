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

    let client: HTTPClient
    let vault: SubscriptionVault
    let timeout: Duration

    /// Never throws for what the target or the network does: that is the result.
    /// - Throws: `CancellationError`.
    func attempt(_ delivery: ClaimedDelivery) async throws -> AttemptResult {
        let clock = ContinuousClock()
        let start = clock.now
        var result = try await self.exchange(delivery)
        result.duration = clock.now - start
        return result
    }

    private func exchange(_ delivery: ClaimedDelivery) async throws -> AttemptResult {
        guard let sealedURL = delivery.targetURL, let sealedSecret = delivery.secret else { return .failed(.unsubscribed) }
        guard let body = WebhookBody.bytes(of: delivery) else { return .failed(.expired) }
        let request: HTTPClientRequest
        do {
            let url = try self.vault.open(sealedURL, .targetURL, of: delivery.subscriptionID, in: delivery.organizationID)
            let secret = try self.vault.open(sealedSecret, .secret, of: delivery.subscriptionID, in: delivery.organizationID)
            guard let secret = WebhookSecret(secret) else { return .failed(.sealed) }
            request = try self.request(to: url, body, for: delivery, secrets: [secret])
        } catch is EncryptionError {
            return .failed(.sealed)
        } catch let error as TransportError {
            return .failed(DeliveryFailure(error.kind))
        }
        do {
            return try await self.read(try await self.client.send(request))
        } catch let error as TransportError {
            return .failed(DeliveryFailure(error.kind), excerpt: error.detail)
        }
    }

    private func request(
        to url: Secret,
        _ body: [UInt8],
        for delivery: ClaimedDelivery,
        secrets: [WebhookSecret]
    ) throws -> HTTPClientRequest {
        let timestamp = Int64(Date().timeIntervalSince1970)
        var headers = HTTPFields()
        headers[.contentType] = "application/json"
        headers[.userAgent] = "Switchboard-Webhooks/1"
        headers[WebhookHeader.id] = delivery.eventID
        headers[WebhookHeader.timestamp] = String(timestamp)
        headers[WebhookHeader.signature] = try WebhookSignature.header(
            id: delivery.eventID,
            timestamp: timestamp,
            body: body,
            secrets: secrets
        )
        headers[WebhookHeader.traceParent] = try WebhookHeader.traceParent(eventID: delivery.eventID)
        var timeouts = Timeouts()
        timeouts.total = self.timeout
        timeouts.idle = self.timeout
        timeouts.connect = min(timeouts.connect, self.timeout)
        return try HTTPClientRequest(.post, url.reveal(), headers: headers, body: .bytes(body), timeouts: timeouts)
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
