import Database
import Encryption
import Foundation
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

/// What receivers hold against a delivery: the stock Python packages for `v1`, the openssl command for `v1a`.
@Suite struct SigningReceiverTests {
    private struct Case: Encodable {
        var name: String
        var secret: String
        var headers: [String: String]
        var body: String

        init(_ name: String, secret: String, _ delivery: Target.Delivery, signature: String? = nil) {
            self.name = name
            self.secret = secret
            self.headers = Dictionary(
                delivery.headers.map { ($0.name.rawName.lowercased(), $0.value) },
                uniquingKeysWith: { "\($0), \($1)" }
            )
            if let signature { self.headers["webhook-signature"] = signature }
            self.body = Data(delivery.body).base64EncodedString()
        }
    }

    /// An event on its way through intake, queue and sender to a target.
    private func deliver(_ fixture: Fixture, _ target: Target) async throws -> (delivery: Target.Delivery, secret: String) {
        let secret = try await fixture.subscribe(target.url("/in"), to: [.contentPosted]).secret
        try await fixture.delivering {
            try await fixture.bring([
                .make(EventType.contentPosted.rawValue, data: ["content_id": 7, "platform": "ü \"x\"", "list": [1, nil, 1.5]])
            ])
            try await eventually("the webhook came") { !target.deliveries.isEmpty }
        }
        return (try #require(target.deliveries.first), secret)
    }

    private func header(_ delivery: Target.Delivery, _ secrets: [String], _ keys: [SigningKey] = []) throws -> String {
        try WebhookSignature.header(
            id: try #require(delivery.header("webhook-id")),
            timestamp: try #require(delivery.header("webhook-timestamp").flatMap(Int64.init)),
            body: delivery.body,
            secrets: try secrets.map { try #require(WebhookSecret(Secret($0))) },
            keys: keys
        )
    }

    @Test func stockPackagesTakeADeliveryAndRefuseAForgery() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                let (delivery, secret) = try await self.deliver(fixture, target)
                let next = try WebhookSecret.make().text.reveal()
                let keys = try await fixture.parts.signingKeys.signingKeys(of: OrganizationID(1))
                // During a rotation a receiver holds the old secret or the new one.
                let both = try self.header(delivery, [next, secret])
                let all = try self.header(delivery, [next, secret], keys)
                try await self.verify([
                    Case("the delivery as it came", secret: secret, delivery),
                    Case("a rotation, by the old secret", secret: secret, delivery, signature: both),
                    Case("a rotation, by the new secret", secret: next, delivery, signature: both),
                    Case("with a key beside it, by the old secret", secret: secret, delivery, signature: all),
                    Case("with a key beside it, by the new secret", secret: next, delivery, signature: all),
                ])
            }
        }
    }

    /// In the environment that `Tests/venv.sh` makes; where it cannot be made, this throws.
    private func verify(_ cases: [Case]) async throws {
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let file = FileManager.default.temporaryDirectory.appending(path: "cases-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(try JSONCoding.encode(cases)).write(to: file)
        let words = try await Command.run(
            "bash",
            "-c",
            #"bin=$("$0/../venv.sh" "$0/requirements.txt") && exec "$bin/python" "$0/verify.py" "$1""#,
            here.path,
            file.path
        )
        #expect(words.contains("verified \(cases.count) deliveries"), "\(words)")
    }

    @Test func theOpenSSLCommandTakesEveryKeyThatSigns() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                let (delivery, secret) = try await self.deliver(fixture, target)
                _ = try await fixture.call(.get, "/api/v1/webhooks/keys")
                _ = try await fixture.call(.post, "/api/v1/webhooks/keys/rotate", [:])
                let keys = try await fixture.parts.signingKeys.signingKeys(of: OrganizationID(1))
                let pems = (try await fixture.call(.get, "/api/v1/webhooks/keys").json["data"]?.arrayValue ?? [])
                    .compactMap { $0["pem"]?.stringValue }
                let signatures = try self.header(delivery, [secret], keys).split(separator: " ")
                    .filter { $0.hasPrefix("v1a,") }
                    .compactMap { Data(base64Encoded: String($0.dropFirst(4))) }
                #expect(signatures.count == 2)
                #expect(pems.count == 2)
                let id = try #require(delivery.header("webhook-id"))
                let timestamp = try #require(delivery.header("webhook-timestamp"))
                let signed = Data("\(id).\(timestamp).".utf8) + Data(delivery.body)
                for (index, (pem, signature)) in zip(pems, signatures).enumerated() {
                    #expect(try await self.openssl(pem, signature, signed))
                    #expect(try await !self.openssl(pem, signature, signed + Data([0x20])))
                    #expect(try await !self.openssl(pems[1 - index], signature, signed))
                }
            }
        }
    }

    private func openssl(_ pem: String, _ signature: Data, _ signed: Data) async throws -> Bool {
        let folder = FileManager.default.temporaryDirectory.appending(path: "openssl-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = [("key.pem", Data(pem.utf8)), ("signature", signature), ("signed", signed)]
        for (name, content) in files { try content.write(to: folder.appending(path: name)) }
        let paths = files.map { folder.appending(path: $0.0).path }
        do {
            try await Command.run([
                "openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", paths[0], "-sigfile", paths[1], "-in", paths[2],
            ])
            return true
        } catch let failure as TestFailure where "\(failure)".contains("status 256") {
            // Exit status 1: the signature is not this key's. What cannot be read ends otherwise or says so.
            #expect(!"\(failure)".contains("Could not"), "\(failure)")
            return false
        }
    }
}
