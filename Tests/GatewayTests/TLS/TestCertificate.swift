import Foundation
import TestSupport

@testable import Gateway

/// A self-signed pair for `localhost`, made by the `openssl` program.
struct TestCertificate: Sendable {
    let files: TLSFiles

    var variables: [String: String] { ["GATEWAY_TLS_CERT": self.files.certificate, "GATEWAY_TLS_KEY": self.files.key] }

    /// In a folder of its own, which is removed after `body`.
    static func using(_ body: @Sendable (TestCertificate) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = TLSFiles(certificate: folder.appending(path: "door.crt").path(), key: folder.appending(path: "door.key").path())
        let certificate = TestCertificate(files: files)
        try await certificate.renew()
        try await body(certificate)
    }

    /// Puts a new pair in the place of the old one.
    func renew() async throws {
        try await Command.run(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            self.files.key,
            "-out",
            self.files.certificate
        )
    }

    /// What curl says of one request: protocol version and status; the answer's body goes to `file`.
    /// - Throws: ``TestFailure`` where curl fails.
    func curl(_ gateway: TestGateway, _ path: String, file: String = "/dev/null", trusting: String? = nil, _ options: String...)
        async throws
        -> String
    {
        try await self.curl(gateway, path, file: file, trusting: trusting, options)
    }

    func curl(_ gateway: TestGateway, _ path: String, file: String = "/dev/null", trusting: String? = nil, _ options: [String]) async throws
        -> String
    {
        try await Command.run(
            [
                "curl", "-sS", "--cacert", trusting ?? self.files.certificate, "--max-time", "60", "-o", file, "-w",
                "%{stderr}%{http_version} %{http_code}",
            ] + options + ["https://localhost:\(gateway.door.port)\(path)"]
        )
    }
}
