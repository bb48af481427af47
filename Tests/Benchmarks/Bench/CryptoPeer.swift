import Crypto
import Foundation

/// swift-crypto at the same work: key kept, random nonce, associated data as long as ours, one combined result.
enum CryptoPeer {
    private static let key = SymmetricKey(size: .bits256)
    private static let associated = [UInt8](repeating: 0x41, count: 61)

    static func seal(_ message: [UInt8]) throws -> Double {
        try Throughput.loop { _ = try AES.GCM.seal(message, using: self.key, authenticating: self.associated).combined }
    }

    static func open(_ message: [UInt8]) throws -> Double {
        guard let sealed = try AES.GCM.seal(message, using: self.key, authenticating: self.associated).combined else { return 0 }
        return try Throughput.loop {
            _ = try AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: self.key, authenticating: self.associated)
        }
    }

    static func authenticate(_ message: [UInt8]) -> Double {
        Throughput.loop { _ = HMAC<SHA256>.authenticationCode(for: message, using: self.key) }
    }
}
