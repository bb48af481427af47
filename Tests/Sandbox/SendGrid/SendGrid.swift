import Encryption
import Foundation
import HTTPTypes
import Hummingbird
import Models

/// A SendGrid account.
struct SendGrid: Sendable {
    /// A message is less than 30 MB.
    static let longestBody = 30 << 20

    let mails = MailBook()
    private let keys: Set<String>
    private let requests = WindowLimit(shown: 10_000, interval: .seconds(1))

    init(keys: Set<String>) { self.keys = keys }

    func mount(on router: Router<SandboxContext>) {
        router.get("v3/scopes") { request, _ in
            try await self.serve(request) { .json(["scopes": ["mail.send", "sender_verification_eligible", "2fa_required"]]) }
        }
        router.post("v3/mail/send") { request, _ in try await self.serve(request) { try await self.send(request) } }
    }

    /// 0 lifts the limit.
    func limit(requests: Int, interval: Duration) { self.requests.set(limit: requests, interval: interval) }

    func reset() {
        self.mails.reset()
        self.limit(requests: 0, interval: .seconds(1))
    }

    private func serve(_ request: Request, _ handler: () async throws -> Response) async throws -> Response {
        let reading = self.requests.take()
        let reset = Int64(Date().timeIntervalSince1970 + max(0, reading.reset / .seconds(1))) + 1
        let headers = [
            ("X-RateLimit-Limit", String(reading.limit)),
            ("X-RateLimit-Remaining", String(reading.remaining)),
            ("X-RateLimit-Reset", String(reset)),
        ]
        do {
            guard let key = request.bearer else { throw SendGridError.missingKey }
            guard self.keys.contains(key) else { throw SendGridError.wrongKey }
            guard reading.isAllowed else { throw SendGridError.tooMany }
            return try await handler().adding(headers)
        } catch let error as SendGridError {
            return error.response.adding(headers)
        }
    }

    private func send(_ request: Request) async throws -> Response {
        guard let bytes = try await request.bytes(upTo: Self.longestBody) else { return SendGridError.tooLarge }
        guard request.headers[.contentType]?.lowercased().hasPrefix("application/json") ?? false else {
            throw SendGridError(415, "Content-Type should be application/json.")
        }
        guard let body = try? JSONValue(parsing: bytes), body.objectValue != nil else { throw SendGridError.badRequest }
        let check = MailCheck(body)
        guard check.faults.isEmpty else { throw SendGridError(invalid: check.faults) }
        if check.isSandboxMode { return Response(status: .ok) }
        self.mails.accept(check.recipients)
        return Response(status: .accepted).adding([("X-Message-Id", try RandomToken.base62(22))])
    }
}
