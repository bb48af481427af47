import Foundation
import LocalStack
import Models

/// A POST that creates or starts something, for each service at least one.
enum Creation: String, CaseIterable, Sendable {
    case key, integration, campaign, send, subscription

    /// Where the effect happens.
    var owner: ServiceName {
        switch self {
        case .key: .gateway
        case .integration: .integrations
        case .campaign, .send: .campaigns
        case .subscription: .webhooks
        }
    }

    /// Of the audit entry that the effect writes.
    var action: String {
        switch self {
        case .key: "key.created"
        case .integration: "integration.created"
        case .campaign: "campaign.created"
        case .send: "campaign.send"
        case .subscription: "subscription.created"
        }
    }
}

/// One creating request with an Idempotency-Key of its own.
struct KeyedRequest: Sendable {
    let creation: Creation
    /// Unique in the organization: of what is made, and of the Idempotency-Key.
    let name: String
    let path: String
    let body: JSONValue
    /// What the same key must not be used for.
    let otherBody: JSONValue

    /// - mailer: an integration that sends email.
    /// - campaign: the draft to be sent, for ``Creation/send``.
    init(_ creation: Creation, _ name: String, mailer: Int64, campaign: Int64 = 0) {
        self.creation = creation
        self.name = name
        self.path =
            switch creation {
            case .key: "/api/v1/api/keys"
            case .integration: "/api/v1/integrations"
            case .campaign: "/api/v1/campaigns"
            case .send: "/api/v1/campaigns/\(campaign)/send"
            case .subscription: "/api/v1/zapier/webhooks"
            }
        self.body = Self.body(creation, name, mailer)
        self.otherBody = Self.body(creation, "\(name) other", mailer)
    }

    private static func body(_ creation: Creation, _ name: String, _ mailer: Int64) -> JSONValue {
        switch creation {
        case .key: ["name": .string(name), "scopes": ["organization:read"]]
        case .integration: ["provider": "sendgrid", "name": .string(name), "config": ["api_key": "SG.a-key-of-tests"]]
        case .campaign: self.campaign(name, mailer)
        case .send: ["note": .string(name)]
        // Of an event that never happens here: deliveries are not what is counted.
        case .subscription: ["webhook_url": "https://127.0.0.1:9/hook", "trigger_event": "sync_completed", "description": .string(name)]
        }
    }

    static func campaign(_ name: String, _ mailer: Int64) -> JSONValue {
        [
            "name": .string(name), "integration_id": .integer(mailer), "from_email": "news@demo.example", "subject": "S", "text": "T",
            "audience": ["all": true],
        ]
    }

    // MARK: - Sending

    /// An answer that no client should meet.
    struct Unexpected: Error, CustomStringConvertible { var description: String }

    func send(_ api: PublicAPI, other: Bool = false) async throws -> PublicAPI.Answer {
        try await api.send(.post, self.path, other ? self.otherBody : self.body, headers: ["Idempotency-Key": "\"\(self.name)\""])
    }

    /// nil where no answer came that a client could rely on, because a process on the way was gone.
    /// - other: with the other body, which is to be refused.
    /// - Throws: ``Unexpected``
    func attempt(_ api: PublicAPI, other: Bool = false) async throws -> PublicAPI.Answer? {
        guard let answer = try? await self.send(api, other: other) else { return nil }
        switch answer.status {
        case 200..<300: return answer
        case 422 where other: return answer
        case 502, 503, 504: return nil
        case 409 where Self.isRunning(answer): return nil
        default:
            let text = String(decoding: answer.bytes.prefix(500), as: UTF8.self)
            throw Unexpected(description: "\(self.name): \(answer.status) \(text)")
        }
    }

    static func isRunning(_ answer: PublicAPI.Answer) -> Bool {
        answer.status == 409 && answer.body["type"]?.stringValue?.hasSuffix("idempotency-key-in-use") == true
    }

    /// Repeats the request as a client would.
    func untilAnswered(_ api: PublicAPI, other: Bool = false) async throws -> PublicAPI.Answer {
        try await LocalWait.until("\(self.name) to be answered", within: .seconds(30), every: .milliseconds(100)) {
            try await self.attempt(api, other: other)
        }
    }
}

extension PublicAPI.Answer {
    var isReplay: Bool { self.headers["idempotency-replayed"] == "true" }
}
