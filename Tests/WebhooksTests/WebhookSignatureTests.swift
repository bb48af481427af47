import Foundation
import Models
import Testing

@testable import Webhooks

/// Expected values were computed with `openssl dgst -sha256 -mac HMAC -macopt hexkey:…`.
@Suite struct WebhookSignatureTests {
    @Test func signsAsTheSpecificationDoes() throws {
        let secret = try #require(WebhookSecret(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")))
        let header = try WebhookSignature.header(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: 1_614_265_330,
            body: Array(#"{"test": 2432232314}"#.utf8),
            secrets: [secret]
        )
        #expect(header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test func signsWithEveryLiveSecret() throws {
        let old = try #require(WebhookSecret(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")))
        let new = try #require(WebhookSecret(Secret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")))
        let body = Array("{}".utf8)
        let each = try [new, old].map { try WebhookSignature.header(id: "evt_1", timestamp: 1, body: body, secrets: [$0]) }
        let both = try WebhookSignature.header(id: "evt_1", timestamp: 1, body: body, secrets: [new, old])
        #expect(each[0] != each[1])
        #expect(both == each.joined(separator: " "))
    }

    @Test func madeSecretsHave32RandomBytesAndReadBack() throws {
        let secret = try WebhookSecret.make()
        #expect(secret.key.count == 32)
        #expect(try WebhookSecret.make().key != secret.key)
        #expect(secret.text.reveal().hasPrefix("whsec_"))
        #expect(WebhookSecret(secret.text)?.key == secret.key)
        #expect("\(secret.text)" == "***")
    }

    @Test(arguments: ["", "whsec_", "whsec_not base64!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    func otherTextIsNoSecret(_ text: String) { #expect(WebhookSecret(Secret(text)) == nil) }
}
