import COpenSSL

/// The scrypt key derivation function (RFC 7914).
enum Scrypt {
    struct Parameters: Equatable, Sendable {
        /// log2 of N. Memory is 128 · N · r bytes.
        var logCost: Int
        /// r
        var blockSize: Int
        /// p
        var parallelism: Int

        /// Bounds for parameters read from a stored hash: at most 256 MiB.
        var isAcceptable: Bool {
            (1...20).contains(self.logCost) && (1...32).contains(self.blockSize) && (1...16).contains(self.parallelism)
                && (self.blockSize << self.logCost) * 128 <= 256 << 20
        }
    }

    /// Takes the calling thread for long: keep it off the cooperative pool.
    static func derive(_ password: [UInt8], salt: [UInt8], _ parameters: Parameters, length: Int) throws -> [UInt8] {
        guard parameters.isAcceptable else { throw EncryptionError(kind: .malformed, detail: "scrypt parameters out of range") }
        // What OpenSSL may allocate: the table, the blocks and a little for its own book-keeping.
        let memory = UInt64(
            (parameters.blockSize << parameters.logCost) * 128 + parameters.blockSize * parameters.parallelism * 128 + (1 << 20)
        )
        return try [UInt8](unsafeUninitializedCapacity: length) { output, count in
            let result = password.withUnsafeBytes { password in
                EVP_PBE_scrypt(
                    password.bindMemory(to: CChar.self).baseAddress,
                    password.count,
                    salt,
                    salt.count,
                    1 << UInt64(parameters.logCost),
                    UInt64(parameters.blockSize),
                    UInt64(parameters.parallelism),
                    memory,
                    output.baseAddress,
                    length
                )
            }
            try check(result, "EVP_PBE_scrypt")
            count = length
        }
    }
}
