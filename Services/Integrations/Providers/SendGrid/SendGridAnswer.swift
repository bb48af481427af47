import Foundation
import HTTPTypes
import Models

/// An answer of SendGrid, read for how the message settles. A 413 may carry nginx's HTML, so nothing relies on a JSON body.
struct SendGridAnswer: Sendable {
    let status: Int
    let headers: HTTPFields
    let json: JSONValue?

    init(_ head: HTTPResponse, _ bytes: [UInt8]) {
        self.status = head.status.code
        self.headers = head.headerFields
        self.json = try? JSONValue(parsing: bytes)
    }

    /// - 202 (200 in sandbox mode) is the only acceptance; `X-Message-Id` names it.
    /// - 401 and 403 refuse the key, 429 the moment: surely not sent, and neither will be the rest of the batch.
    /// - 404 and 405 mean that this is not SendGrid's API (a wrong base URL): a fault of the operator, not of the message.
    /// - 503 says that the request was not taken. 500, 502 and 504 may come from a part that had already passed the message on: nobody knows.
    func result(hiding key: Secret, now: Date = Date()) -> SendResult {
        let reason = "http_\(self.status)"
        let detail = self.detail(hiding: key)
        switch self.status {
        case 200..<300: return SendResult(.accepted, providerMessageID: self.headers.value(named: "x-message-id"))
        case 401, 403: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 300, halts: true, isUnauthorized: true)
        case 404, 405: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 300, halts: true)
        case 429: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: self.untilReset(now), halts: true)
        case 503: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 30, halts: true)
        case 400, 402, 406..<500: return SendResult(self.status == 408 ? .inDoubt : .rejected, reason: reason, detail: detail)
        default: return SendResult(.inDoubt, reason: reason, detail: detail)
        }
    }

    /// `X-RateLimit-Reset` is a Unix time in seconds.
    private func untilReset(_ now: Date) -> Double {
        guard let reset = self.headers.seconds("x-ratelimit-reset") else { return 10 }
        return min(max(1, reset - now.timeIntervalSince1970), 3600)
    }

    /// `{"errors":[{"message","field"|null}]}`.
    func detail(hiding key: Secret) -> String {
        let words = (self.json?["errors"]?.arrayValue ?? []).compactMap { error -> String? in
            guard let message = error["message"]?.stringValue else { return nil }
            return error["field"]?.stringValue.map { "\($0): \(message)" } ?? message
        }
        return ProviderText.clean(
            "SendGrid answered \(self.status)" + (words.isEmpty ? "." : ": \(words.joined(separator: "; "))"),
            hiding: [key]
        )
    }
}
