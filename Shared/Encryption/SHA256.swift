import COpenSSL

package enum SHA256 {
    package static let length = 32

    package static func digest(_ message: [UInt8]) throws -> [UInt8] {
        let algorithm = try Algorithms.sha256Digest()
        return try [UInt8](unsafeUninitializedCapacity: self.length) { output, count in
            try check(EVP_Digest(message, message.count, output.baseAddress, nil, algorithm, nil), "EVP_Digest")
            count = self.length
        }
    }
}
