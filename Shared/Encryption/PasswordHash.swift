import Foundation
package import Models

/// Passwords by scrypt (RFC 7914), with parameters and salt in the hash: `$scrypt$ln=13,r=8,p=10$<salt>$<hash>`, both in base64 without padding
/// (the PHC string format). A check takes a tenth or two of a second and 8 MiB: two run at once, on threads of their own, first come first
/// served, and beyond 64 waiting a ``Problem`` of kind `unavailable` is thrown. Hashes of other parameters are still read (128 MiB for those of
/// `ln=17,r=8,p=1`) and ask for a new one.
///
/// Passwords are brought to NFC first (RFC 8265, OpaqueString), so that "é" matches however the keyboard composed it. NFKC is left alone:
/// it would make different passwords equal.
package enum PasswordHash {
    package enum Check: Sendable { case wrong, right, rightButOutdated }

    /// OWASP Password Storage Cheat Sheet: N = 2^13, r = 8, p = 10, listed as equal to N = 2^17, p = 1 in a sixteenth of the memory.
    static let parameters = Scrypt.Parameters(logCost: 13, blockSize: 8, parallelism: 10)
    private static let saltLength = 16
    private static let hashLength = 32

    package static func make(_ password: Secret) async throws -> String {
        try await self.make(password, self.parameters)
    }

    static func make(_ password: Secret, _ parameters: Scrypt.Parameters) async throws -> String {
        let salt = try RandomToken.bytes(self.saltLength)
        return try await HashingThreads.shared.run {
            Stored(parameters: parameters, salt: salt, hash: try self.derive(password, salt, parameters, self.hashLength)).text
        }
    }

    /// ``Check/rightButOutdated`` asks for a new ``make(_:)`` while the password is at hand.
    /// - Throws: ``EncryptionError`` of kind `malformed` where `hash` is none of ours.
    package static func check(_ password: Secret, against hash: String) async throws -> Check {
        let stored = try Stored(hash)
        return try await HashingThreads.shared.run {
            var derived = try self.derive(password, stored.salt, stored.parameters, stored.hash.count)
            defer { derived.wipe() }
            guard ConstantTime.equal(derived, stored.hash) else { return .wrong }
            let isCurrent =
                stored.parameters == self.parameters && stored.salt.count >= self.saltLength && stored.hash.count >= self.hashLength
            return isCurrent ? .right : .rightButOutdated
        }
    }

    /// Takes as long as a check of a current hash: for unknown accounts, so that time does not tell which exist.
    package static func checkNothing(_ password: Secret) async throws {
        try await HashingThreads.shared.run {
            var derived = try self.derive(password, [UInt8](repeating: 0, count: self.saltLength), self.parameters, self.hashLength)
            derived.wipe()
        }
    }

    private static func derive(_ password: Secret, _ salt: [UInt8], _ parameters: Scrypt.Parameters, _ length: Int) throws -> [UInt8] {
        var bytes = Array(password.reveal().precomposedStringWithCanonicalMapping.utf8)
        defer { bytes.wipe() }
        return try Scrypt.derive(bytes, salt: salt, parameters, length: length)
    }
}

extension PasswordHash {
    /// The hash's text form and its parts.
    struct Stored {
        var parameters: Scrypt.Parameters
        var salt: [UInt8]
        var hash: [UInt8]

        init(parameters: Scrypt.Parameters, salt: [UInt8], hash: [UInt8]) {
            self.parameters = parameters
            self.salt = salt
            self.hash = hash
        }

        var text: String {
            let numbers = "ln=\(self.parameters.logCost),r=\(self.parameters.blockSize),p=\(self.parameters.parallelism)"
            return "$scrypt$\(numbers)$\(Self.encode(self.salt))$\(Self.encode(self.hash))"
        }

        init(_ text: String) throws {
            let parts = text.split(separator: "$", omittingEmptySubsequences: false)
            guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt",
                let parameters = Self.parameters(parts[2]), parameters.isAcceptable,
                let salt = Self.decode(parts[3]), (8...64).contains(salt.count),
                let hash = Self.decode(parts[4]), (16...64).contains(hash.count)
            else { throw EncryptionError(kind: .malformed, detail: "not a scrypt password hash") }
            self.init(parameters: parameters, salt: salt, hash: hash)
        }

        private static func parameters(_ text: Substring) -> Scrypt.Parameters? {
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count == 3, let cost = self.number(parts[0], "ln="), let size = self.number(parts[1], "r="),
                let parallelism = self.number(parts[2], "p=")
            else { return nil }
            return Scrypt.Parameters(logCost: cost, blockSize: size, parallelism: parallelism)
        }

        /// One or two digits after the name, without a leading zero.
        private static func number(_ text: Substring, _ name: String) -> Int? {
            let digits = text.dropFirst(name.count)
            guard text.hasPrefix(name), (1...2).contains(digits.count), digits.first != "0", digits.allSatisfy({ ("0"..."9").contains($0) })
            else { return nil }
            return Int(digits)
        }

        private static func encode(_ bytes: [UInt8]) -> String {
            String(Data(bytes).base64EncodedString().prefix { $0 != "=" })
        }

        /// Only the one spelling that ``encode(_:)`` gives.
        private static func decode(_ text: Substring) -> [UInt8]? {
            let padded = text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
            guard let data = Data(base64Encoded: String(padded)) else { return nil }
            let bytes = [UInt8](data)
            return self.encode(bytes) == text ? bytes : nil
        }
    }
}
