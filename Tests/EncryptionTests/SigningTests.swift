import Models
import Testing

@testable import Encryption

@Suite struct SigningTests {
    let message = Array("payload".utf8)

    @Test func ed25519RoundTrip() throws {
        let key = try Ed25519.PrivateKey()
        let signature = try key.sign(self.message)
        #expect(signature.count == 64)
        #expect(try Ed25519.isValid(signature, for: self.message, publicKey: key.publicKey))
        let other = try Ed25519.PrivateKey()
        #expect(try !Ed25519.isValid(signature, for: self.message, publicKey: other.publicKey))
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 1
            #expect(try !Ed25519.isValid(changed, for: self.message, publicKey: key.publicKey))
        }
    }

    @Test func ed25519RefusesMalformedKeys() throws {
        #expect(kind { try Ed25519.PrivateKey(seed: [1, 2, 3]) } == .malformed)
        #expect(kind { try Ed25519.isValid([], for: [], publicKey: [UInt8](repeating: 0, count: 31)) } == .malformed)
        let key = try Ed25519.PrivateKey()
        for length in [0, 63, 65] {
            #expect(try !Ed25519.isValid([UInt8](repeating: 0, count: length), for: [], publicKey: key.publicKey))
        }
    }

    /// The keys of RFC 8410 section 10.
    @Test func ed25519PublicKeysAreWrittenAsPEM() throws {
        let key = try Ed25519.PrivateKey(seed: try bytes("d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842"))
        let pem = """
            -----BEGIN PUBLIC KEY-----
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
            -----END PUBLIC KEY-----

            """
        #expect(try Ed25519.pem(ofPublicKey: try key.publicKey) == pem)
        for length in [0, 31, 33] {
            #expect(kind { try Ed25519.pem(ofPublicKey: [UInt8](repeating: 0, count: length)) } == .malformed)
        }
    }

    @Test func ecdsaRoundTrip() throws {
        let privateKey = try ECDSAP256.makePrivateKey()
        let publicKey = try ECDSAP256.publicKey(of: privateKey)
        let signature = try ECDSAP256.sign(self.message, privateKey: privateKey)
        #expect(try ECDSAP256.isValid(signature, for: self.message, publicKey: publicKey))
        #expect(try !ECDSAP256.isValid(signature, for: self.message + [0], publicKey: publicKey))
        let other = try ECDSAP256.publicKey(of: try ECDSAP256.makePrivateKey())
        #expect(try !ECDSAP256.isValid(signature, for: self.message, publicKey: other))
        #expect(try !ECDSAP256.isValid(signature + [0], for: self.message, publicKey: publicKey))
    }

    @Test func ecdsaRefusesKeysOfAnotherKindOrForm() throws {
        let privateKey = try ECDSAP256.makePrivateKey()
        let publicKey = try ECDSAP256.publicKey(of: privateKey)
        for malformed in [
            [], Array(publicKey.dropLast()), publicKey + [0], Array(publicKey.suffix(65)), [UInt8](repeating: 0x30, count: 91),
        ] {
            #expect(kind { try ECDSAP256.isValid([], for: [], publicKey: malformed) } == .malformed)
        }
        var offCurve = publicKey
        offCurve[90] ^= 1
        #expect(kind { try ECDSAP256.isValid([], for: [], publicKey: offCurve) } == .malformed)
        for malformed in [[], Array(privateKey.dropLast()), privateKey + [0], publicKey] {
            #expect(kind { try ECDSAP256.sign([], privateKey: malformed) } == .malformed)
        }
    }

    /// A PKCS#8 key of P-384, made by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384`, and one of Ed25519.
    @Test(arguments: [
        "3081a40201010430efe71c88cf416239d9504ed3942d0eb426d56352d355b1de5828fae8a14cf7c7e3d39174ef5af043caa32d0c979a0b67a00706052b81040022a164036200049e14d98650bf1c4b02273f56e98856af995046c6e696a2381ce6a11f7aa45dacfb3e7f8b279d1d8053463abfd582a0637e9ad8a1876cd6296533e5610d9b50a10b38e65386c82e0b172876ecbaaa43f4412895600282a44a94dff540d9b6b4be",
        "302e020100300506032b657004220420618377cb6d00938faecf0d31a3fb4c946e7796ec1605b943386bac64c84eedb3",
    ])
    func ecdsaRefusesOtherCurves(hex: String) throws {
        #expect(kind { try ECDSAP256.sign([], privateKey: try bytes(hex)) } == .malformed)
        #expect(kind { try ECDSAP256.publicKey(of: try bytes(hex)) } == .malformed)
    }

    @Test func p1363SignaturesAreReadLikeDER() throws {
        let privateKey = try ECDSAP256.makePrivateKey()
        let publicKey = try ECDSAP256.publicKey(of: privateKey)
        // Many, so that integers with leading zeros and with a high first bit are among them.
        for number in 0..<200 {
            let message = Array("\(number)".utf8)
            let fixed = self.p1363(try ECDSAP256.sign(message, privateKey: privateKey))
            #expect(try ECDSAP256.isValid(p1363: fixed, for: message, publicKey: publicKey))
            #expect(try !ECDSAP256.isValid(p1363: fixed, for: message + [1], publicKey: publicKey))
        }
        #expect(try !ECDSAP256.isValid(p1363: [UInt8](repeating: 0, count: 64), for: [], publicKey: publicKey))
        #expect(try !ECDSAP256.isValid(p1363: [UInt8](repeating: 0, count: 63), for: [], publicKey: publicKey))
        #expect(try !ECDSAP256.isValid(p1363: [UInt8](repeating: 0xFF, count: 64), for: [], publicKey: publicKey))
    }

    /// r and s of a DER signature as 32 bytes each.
    private func p1363(_ der: [UInt8]) -> [UInt8] {
        let first = der[4..<(4 + Int(der[3]))]
        let second = der[(4 + Int(der[3]) + 2)...]
        return [first, second].flatMap { integer in
            let digits = integer.suffix(32)
            return [UInt8](repeating: 0, count: 32 - digits.count) + digits
        }
    }

    @Test func manyTasksShareAnHMACKey() async throws {
        let key = try HMACKey(.sha256, key: Array("key".utf8))
        try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<32 {
                group.addTask {
                    var right = 0
                    for round in 0..<500 {
                        let message = Array("\(task) \(round)".utf8)
                        if try key.authenticate(message) == HMAC.authenticate(.sha256, key: Array("key".utf8), message) { right += 1 }
                    }
                    return right
                }
            }
            let right = try await group.reduce(0, +)
            #expect(right == 32 * 500)
        }
    }

    @Test func comparisonIsOfAllBytes() {
        #expect(ConstantTime.equal([], []))
        #expect(ConstantTime.equal([1, 2, 3], [1, 2, 3]))
        #expect(!ConstantTime.equal([1, 2, 3], [1, 2, 4]))
        #expect(!ConstantTime.equal([1, 2, 3], [0, 2, 3]))
        #expect(!ConstantTime.equal([1, 2, 3], [1, 2]))
    }
}
