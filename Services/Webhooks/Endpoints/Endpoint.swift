import Foundation
import Models
import Transport

/// Where and how a subscription's deliveries are posted, opened: its secrets are in the clear here and stay in memory.
struct Endpoint: Sendable {
    /// nil where what was stored is no URL that may be called.
    var target: HTTPTarget?
    var secret: WebhookSecret
    /// The one before the last rotation, and until when it signs as well.
    var previousSecret: (secret: WebhookSecret, until: Date)?
    var headers: [CustomHeader] = []
    var timeout: Duration?
    var schedule: RetrySchedule?
    var template: PayloadTemplate?
    var signatures: Set<SignatureKind> = [.v1]

    /// The secrets that sign at a moment.
    func secrets(at now: Date) -> [WebhookSecret] {
        guard let previous = self.previousSecret, previous.until > now else { return [self.secret] }
        return [self.secret, previous.secret]
    }
}

/// How deliveries may be signed (Standard Webhooks 1.0.0, "Signature scheme").
enum SignatureKind: String, Sendable, CaseIterable {
    /// HMAC-SHA256 with the subscription's secret.
    case v1
    /// Ed25519 with the organization's signing key, whose public half is published.
    case v1a
}
