import Foundation
import Hummingbird
import Models
import NIOCore
import ServiceKit
import TestSupport
import Testing

@testable import Gateway

/// The door over TLS, as curl finds it.
@Suite struct TLSTests {
    private func withDoor(
        _ variables: [String: String] = [:],
        upstream: String = "http://127.0.0.1:1",
        _ body: @escaping @Sendable (TestGateway, TestCertificate) async throws -> Void
    ) async throws {
        try await TestCertificate.using { certificate in
            let settings = TestGateway.Settings(upstream: upstream, variables: certificate.variables.merging(variables) { $1 })
            try await withGateway(settings) { try await body($0, certificate) }
        }
    }

    @Test func bothVersionsOfHTTPAreServedAsTheClientChooses() async throws {
        try await self.withDoor(["PUBLIC_URL": "http://gateway.test"]) { gateway, certificate in
            #expect(try await certificate.curl(gateway, "/healthz", "--http2") == "2 200")
            #expect(try await certificate.curl(gateway, "/healthz", "--http1.1") == "1.1 200")
            #expect(try await certificate.curl(gateway, "/healthz", "--no-alpn") == "1.1 200")
            let file = FileManager.default.temporaryDirectory.appending(path: "answer-\(UUID().uuidString)").path()
            defer { try? FileManager.default.removeItem(atPath: file) }
            for version in ["--http2", "--http1.1"] {
                _ = try await certificate.curl(gateway, "/api/v1/auth/me", file: file, version, "-i")
                let head = try String(contentsOfFile: file, encoding: .utf8).lowercased()
                #expect(head.contains("strict-transport-security: max-age=31536000"), "\(version)")
                #expect(head.contains("401"), "\(version)")
            }
        }
    }

    private func isRefused(_ certificate: TestCertificate, _ gateway: TestGateway, _ options: [String]) async -> Bool {
        do {
            _ = try await certificate.curl(gateway, "/healthz", options)
            return false
        } catch {
            return true
        }
    }

    @Test func oldVersionsAndWeakCiphersAreRefused() async throws {
        try await self.withDoor { gateway, certificate in
            for version in ["1.2", "1.3"] {
                let said = try await certificate.curl(gateway, "/healthz", "--tlsv\(version)", "--tls-max", version)
                #expect(said == "2 200", "\(version)")
            }
            // At security level 0 curl itself would speak them: the refusal is the server's.
            for refused in [
                ["--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"],
                ["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
            ] {
                #expect(await self.isRefused(certificate, gateway, refused), "\(refused)")
            }
            #expect(try await certificate.curl(gateway, "/healthz") == "2 200")
        }
    }

    @Test func withoutTLSOnlyProbesAndTheHouseAreServed() async throws {
        try await self.withDoor { gateway, _ in
            let member = try await gateway.register()
            #expect(try await gateway.door.send("GET", "/healthz").status == 200)
            #expect(try await gateway.door.send("POST", "/internal/audit").status == 404, "a stranger, as ever")
            for target in ["/api/v1/auth/me", "/docs", "//internal/audit", "/", "/Internal/audit", "http://gateway.test/api/v1/auth/me"] {
                let answer = try await gateway.door.send("GET", target, headers: member.bearer)
                #expect(answer.status == 400, "\(target)")
                #expect(answer.text.contains("https"), "\(target)")
            }
            for target in ["/internal/../api/v1/auth/me", "/internal/%2e%2e/api/v1/auth/me"] {
                let answer = try await gateway.door.send("GET", target, headers: member.bearer)
                #expect([400, 404].contains(answer.status), "\(target): \(answer.status)")
            }
        }
    }

    @Test func largeBodiesStreamBothWays() async throws {
        let sent = (0..<(12 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let upstream = FakeUpstream { received in
            Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: received.body + received.body)))
        }
        try await withUpstream(upstream) { url in
            try await self.withDoor(upstream: url) { gateway, certificate in
                let member = try await gateway.register()
                let folder = URL(filePath: certificate.files.key).deletingLastPathComponent()
                let (question, answer) = (folder.appending(path: "question").path(), folder.appending(path: "answer").path())
                try Data(sent).write(to: URL(filePath: question))
                for version in ["--http2", "--http1.1"] {
                    let said = try await certificate.curl(
                        gateway,
                        "/api/v1/campaigns",
                        file: answer,
                        version,
                        "-H",
                        "Authorization: Bearer \(member.accessToken)",
                        "-H",
                        "Content-Type: application/json",
                        "--data-binary",
                        "@\(question)"
                    )
                    #expect(said.hasSuffix(" 200"), "\(version): \(said)")
                    #expect(try Data(contentsOf: URL(filePath: answer)) == Data(sent + sent), "\(version)")
                    #expect(upstream.received.last?.body == sent, "\(version)")
                }
            }
        }
    }

    @Test func aBodyThatIsTooLargeIsRefusedAndTheConnectionGoesOn() async throws {
        try await self.withDoor(["MAX_REQUEST_BYTES": "65536"]) { gateway, certificate in
            let member = try await gateway.register()
            let folder = URL(filePath: certificate.files.key).deletingLastPathComponent()
            let question = folder.appending(path: "question").path()
            try Data(repeating: 32, count: 8 << 20).write(to: URL(filePath: question))
            let said = try await certificate.curl(
                gateway,
                "/api/v1/campaigns",
                "--http2",
                "-H",
                "Authorization: Bearer \(member.accessToken)",
                "--data-binary",
                "@\(question)"
            )
            #expect(said == "2 413")
            #expect(try await certificate.curl(gateway, "/healthz") == "2 200")
        }
    }

    @Test func aRenewedCertificateIsTakenWithoutARestartAndABrokenOneIsNot() async throws {
        try await self.withDoor { gateway, certificate in
            let keeper = try #require(gateway.gateways[0].tls)
            let folder = URL(filePath: certificate.files.key).deletingLastPathComponent()
            let old = folder.appending(path: "old.crt").path()
            try FileManager.default.copyItem(atPath: certificate.files.certificate, toPath: old)
            #expect(try await certificate.curl(gateway, "/healthz", trusting: old) == "2 200")

            try await certificate.renew()
            keeper.look()
            #expect(try await certificate.curl(gateway, "/healthz") == "2 200")
            #expect(await self.isRefused(certificate, gateway, ["--cacert", old]))

            let good = folder.appending(path: "good.crt").path()
            try FileManager.default.copyItem(atPath: certificate.files.certificate, toPath: good)
            try FileManager.default.removeItem(atPath: certificate.files.certificate)
            try FileManager.default.copyItem(atPath: old, toPath: certificate.files.certificate)
            keeper.look()
            #expect(try await certificate.curl(gateway, "/healthz", trusting: good) == "2 200")
        }
    }

    @Test func whyAPairCannotBeUsedIsNamed() async throws {
        try await TestCertificate.using { certificate in
            try await TestCertificate.using { other in
                func fault(_ files: TLSFiles, at now: Date = .now) -> TLSFault? {
                    do {
                        _ = try files.load(at: now)
                        return nil
                    } catch {
                        return error as? TLSFault
                    }
                }
                let files = certificate.files
                #expect(fault(files) == nil)
                #expect(
                    fault(TLSFiles(certificate: "/none", key: files.key))?.description
                        == "GATEWAY_TLS_CERT names a file that cannot be read"
                )
                #expect(
                    fault(TLSFiles(certificate: files.certificate, key: "/none"))?.description
                        == "GATEWAY_TLS_KEY names a file that cannot be read"
                )
                let mixed = fault(TLSFiles(certificate: files.certificate, key: other.files.key))
                #expect(mixed?.description == "GATEWAY_TLS_KEY names a key that does not belong to the certificate of GATEWAY_TLS_CERT")
                #expect(fault(TLSFiles(certificate: files.key, key: files.key))?.variable == "GATEWAY_TLS_CERT")
                #expect(fault(TLSFiles(certificate: files.certificate, key: files.certificate))?.variable == "GATEWAY_TLS_KEY")
                #expect(fault(files, at: .now + 40 * 86_400)?.reason.contains("expired on 20") == true)
                #expect(fault(files, at: .now - 86_400)?.reason.contains("not valid before") == true)

                let locked = other.files.key + ".locked"
                try await Command.run("openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", other.files.key, "-out", locked)
                #expect(fault(TLSFiles(certificate: other.files.certificate, key: locked))?.reason.contains("passphrase") == true)
            }
        }
    }

    @Test func oneFileWithoutTheOtherIsAFaultOfTheConfiguration() {
        for name in ["GATEWAY_TLS_CERT", "GATEWAY_TLS_KEY"] {
            let reader = SettingsReader(environment: [name: "/some/file"])
            #expect(TLSFiles(reader) == nil)
            #expect(throws: ConfigurationFaults.self) { try reader.finish() }
        }
        let neither = SettingsReader(environment: [:])
        #expect(TLSFiles(neither) == nil)
        #expect(throws: Never.self) { try neither.finish() }
    }
}
