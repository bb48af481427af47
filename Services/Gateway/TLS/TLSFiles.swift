import Foundation
import NIOSSL
import ServiceKit

/// Where certificate and key of the door lie: `GATEWAY_TLS_CERT` and `GATEWAY_TLS_KEY`, PEM files, both or neither.
struct TLSFiles: Sendable, Equatable {
    var certificate: String
    var key: String

    init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }

    /// nil where neither is set.
    init?(_ reader: SettingsReader) {
        let certificate = reader.optionalString("GATEWAY_TLS_CERT")
        let key = reader.optionalString("GATEWAY_TLS_KEY")
        switch (certificate, key) {
        case (nil, nil): return nil
        case (_?, nil): reader.fault("GATEWAY_TLS_KEY", "is missing beside GATEWAY_TLS_CERT: TLS takes both")
        case (nil, _?): reader.fault("GATEWAY_TLS_CERT", "is missing beside GATEWAY_TLS_KEY: TLS takes both")
        case (let certificate?, let key?):
            self.init(certificate: certificate, key: key)
            return
        }
        return nil
    }

    /// When the two were last changed: what tells that there is a new pair. nil where one is not there.
    var changed: [Date]? {
        let dates = [self.certificate, self.key].compactMap { path in
            // Kubernetes mounts a link that is swapped: its target's time is the one that changes.
            try? FileManager.default.attributesOfItem(atPath: URL(filePath: path).resolvingSymlinksInPath().path())[.modificationDate]
                as? Date
        }
        return dates.count == 2 ? dates : nil
    }

    /// - Throws: ``TLSFault`` with the reason why the pair cannot be used.
    func load(at now: Date = .now) throws -> TLSIdentity {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(try self.bytes("GATEWAY_TLS_CERT", self.certificate))
        } catch let fault as TLSFault {
            throw fault
        } catch {
            throw TLSFault(variable: "GATEWAY_TLS_CERT", reason: "names a file that holds no PEM certificate")
        }
        guard let leaf = chain.first else {
            throw TLSFault(variable: "GATEWAY_TLS_CERT", reason: "names a file that holds no PEM certificate")
        }
        let bytes = try self.bytes("GATEWAY_TLS_KEY", self.key)
        let key: NIOSSLPrivateKey
        do {
            // An answer to the question for a passphrase, which a server would otherwise wait for at its terminal.
            key = try NIOSSLPrivateKey(bytes: bytes, format: .pem) { $0([UInt8]()) }
        } catch {
            throw TLSFault(variable: "GATEWAY_TLS_KEY", reason: "names a file that holds no PEM key without a passphrase")
        }
        let (begins, ends) = (
            Date(timeIntervalSince1970: Double(leaf.notValidBefore)), Date(timeIntervalSince1970: Double(leaf.notValidAfter))
        )
        guard ends > now else {
            throw TLSFault(variable: "GATEWAY_TLS_CERT", reason: "names a certificate that expired on \(Self.day(ends))")
        }
        guard begins <= now else {
            throw TLSFault(variable: "GATEWAY_TLS_CERT", reason: "names a certificate that is not valid before \(Self.day(begins))")
        }
        do {
            return TLSIdentity(context: try NIOSSLContext(configuration: Self.configuration(chain, key)), ends: ends)
        } catch {
            throw TLSFault(variable: "GATEWAY_TLS_KEY", reason: "names a key that does not belong to the certificate of GATEWAY_TLS_CERT")
        }
    }

    private func bytes(_ variable: String, _ path: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw TLSFault(variable: variable, reason: "names a file that cannot be read")
        }
        return [UInt8](data)
    }

    static func day(_ date: Date) -> String { date.formatted(.iso8601.year().month().day()) }

    /// TLS 1.2 and 1.3, forward secrecy and authenticated encryption alone: the "intermediate" list of Mozilla's Server Side TLS 5.7 without
    /// DHE; RFC 9113 section 9.2.2 lets HTTP/2 use no others. (The suites of TLS 1.3 are all such.)
    static func configuration(_ chain: [NIOSSLCertificate], _ key: NIOSSLPrivateKey) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuites = [
            "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
        ].joined(separator: ":")
        configuration.applicationProtocols = ["h2", "http/1.1"]
        return configuration
    }
}

/// A certificate with its key, ready for connections.
struct TLSIdentity: Sendable {
    let context: NIOSSLContext
    /// When the certificate expires.
    let ends: Date
}

/// Why a pair of certificate and key cannot be used. Nothing of the files is in it.
struct TLSFault: Error, Equatable, CustomStringConvertible {
    var variable: String
    var reason: String

    var description: String { "\(self.variable) \(self.reason)" }
}
