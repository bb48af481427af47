import HTTPTypes
import Models
import Transport

/// Twilio SendGrid v3 by API key.
struct SendGridProvider: Provider {
    static let key = "sendgrid"

    let baseURL: String
    let http: HTTPClient
    /// Messages on their way at once for one integration.
    let lanes: Int

    let definition = ProviderDefinition(
        key: Self.key,
        name: "SendGrid",
        category: .email,
        authentication: .apiKey,
        fields: [
            .text(
                "api_key",
                "API key",
                [.required, .secret],
                pattern: #"[\x21-\x7E]{8,512}"#,
                hint: "an API key with the permission to send mail (mail.send)"
            )
        ],
        capabilities: [.sendEmail]
    )

    var mail: (any MailSender)? { self }

    /// `GET /v3/scopes` works with every key and tells whether it may send.
    func test(_ connection: Connection) async throws -> ConnectionReport {
        do {
            let key = try connection.secret("api_key")
            let response = try await self.http.send(
                try HTTPClientRequest(.get, self.baseURL + "/v3/scopes", headers: Self.headers(key))
            )
            let answer = SendGridAnswer(response.head, try await response.collect(upTo: 1 << 20))
            guard answer.status == 200, let scopes = answer.json?["scopes"]?.arrayValue else {
                return .failed(answer.detail(hiding: key))
            }
            guard scopes.contains("mail.send") else { return .failed("The API key lacks the scope mail.send.") }
            return .passed("The API key is valid and may send mail.", account: ["scopes": .integer(Int64(scopes.count))])
        } catch let error as TransportError {
            return .failed(ProviderText.clean("SendGrid cannot be reached: \(error.description)", hiding: connection.secrets.values))
        } catch let failure as ProviderFailure {
            return .failed(failure.detail)
        }
    }

    static func headers(_ key: Secret) -> HTTPFields {
        [.authorization: "Bearer \(key.reveal())", .accept: "application/json"]
    }
}

extension SendGridProvider: MailSender {
    func lane(for connection: Connection) -> MailLane {
        MailLane(key: "sendgrid:\(connection.integration.organizationID):\(connection.integration.id)", width: self.lanes)
    }

    func send(_ message: EmailMessage, over connection: Connection, within limit: Duration) async -> SendResult {
        do {
            let key = try connection.secret("api_key")
            var headers = Self.headers(key)
            headers[.contentType] = "application/json"
            var timeouts = Timeouts()
            timeouts.total = limit
            timeouts.idle = limit
            let request = try HTTPClientRequest(
                .post,
                self.baseURL + "/v3/mail/send",
                headers: headers,
                body: .bytes(SendGridMail.body(of: message).serialized()),
                timeouts: timeouts
            )
            let response = try await self.http.send(request)
            // The status has settled the message: a body that breaks off takes nothing from it.
            let body = (try? await response.collect(upTo: 1 << 20)) ?? []
            return SendGridAnswer(response.head, body).result(hiding: key)
        } catch let error as TransportError {
            return .transport(error, hiding: connection.secrets.values)
        } catch let failure as ProviderFailure {
            return SendResult(
                .notSent,
                reason: "credential_missing",
                detail: failure.detail,
                retryAfter: 300,
                halts: true,
                isUnauthorized: true
            )
        } catch {
            return SendResult(.inDoubt, reason: "cancelled")
        }
    }
}
