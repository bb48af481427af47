import Testing

@testable import Encryption

/// Attack cases of Project Wycheproof. Skipped where `VECTORS_DIR` is unset: the vectors are not part of this repository.
@Suite(.enabled(if: Vectors.directory != nil, "VECTORS_DIR does not name the folder of the Wycheproof vectors: skipped"))
struct WycheproofTests {
    @Test func aesGCMWith256BitKeysAnd96BitNoncesOnlyAsOurEnvelopeHasNoOtherSizes() throws {
        var run = 0
        for group in try Vectors.load("aes_gcm_test.json") where group.keySize == 256 && group.ivSize == 96 && group.tagSize == 128 {
            for test in group.tests {
                let (key, nonce) = (try bytes(test.key), try bytes(test.iv))
                let (associated, message) = (try bytes(test.aad), try bytes(test.msg))
                let sealed = try bytes(test.ct) + bytes(test.tag)
                let opened = try? AESGCM.open(sealed, key: key, nonce: nonce, associated: associated)
                #expect(opened == (test.isValid ? message : nil), "\(test.tcId) \(test.comment)")
                if test.isValid {
                    #expect(try AESGCM.seal(message, key: key, nonce: nonce, associated: associated) == sealed, "\(test.tcId)")
                }
                run += 1
            }
        }
        #expect(run == 66)
    }

    @Test func aesGCMRefusesTheOtherKeyAndNonceSizes() throws {
        var run = 0
        for group in try Vectors.load("aes_gcm_test.json") where group.keySize != 256 || group.ivSize != 96 {
            for test in group.tests {
                let (key, nonce) = (try bytes(test.key), try bytes(test.iv))
                #expect(throws: EncryptionError.self, "\(test.tcId)") {
                    try AESGCM.open(try bytes(test.ct) + bytes(test.tag), key: key, nonce: nonce, associated: try bytes(test.aad))
                }
                run += 1
            }
        }
        #expect(run == 250)
    }

    @Test(arguments: [("hmac_sha1_test.json", HMAC.Algorithm.sha1), ("hmac_sha256_test.json", .sha256), ("hmac_sha512_test.json", .sha512)])
    func hmacWholeTagsAreCheckedAndShortenedOnesComparedByTheirPrefix(file: String, algorithm: HMAC.Algorithm) throws {
        var run = 0
        for group in try Vectors.load(file) {
            let length = try group.tagSize.unwrapped("tagSize") / 8
            for test in group.tests {
                let (key, message, tag) = (try bytes(test.key), try bytes(test.msg), try bytes(test.tag))
                let whole = try HMAC.authenticate(algorithm, key: key, message)
                #expect(ConstantTime.equal(Array(whole.prefix(length)), tag) == test.isValid, "\(test.tcId) \(test.comment)")
                // Our check accepts no shortened tag at all.
                let accepted = test.isValid && length == algorithm.length
                #expect(try HMAC.isValid(tag, algorithm, key: key, message) == accepted, "\(test.tcId)")
                #expect(try HMACKey(algorithm, key: key).isValid(tag, for: message) == accepted, "\(test.tcId)")
                run += 1
            }
        }
        #expect(run >= 170)
    }

    @Test func ecdsaP256WithSHA256() throws {
        var run = 0
        for group in try Vectors.load("ecdsa_secp256r1_sha256_test.json") {
            let publicKey = try bytes(group.publicKeyDer)
            for test in group.tests {
                let valid = try ECDSAP256.isValid(try bytes(test.sig), for: try bytes(test.msg), publicKey: publicKey)
                #expect(valid == test.isValid, "\(test.tcId) \(test.comment)")
                run += 1
            }
        }
        #expect(run == 484)
    }

    @Test func ed25519() throws {
        var run = 0
        for group in try Vectors.load("ed25519_test.json") {
            let publicKey = try bytes(group.publicKey?.pk)
            for test in group.tests {
                let valid = try Ed25519.isValid(try bytes(test.sig), for: try bytes(test.msg), publicKey: publicKey)
                #expect(valid == test.isValid, "\(test.tcId) \(test.comment)")
                run += 1
            }
        }
        #expect(run == 151)
    }

    @Test func hkdfSHA256() throws {
        var run = 0
        for group in try Vectors.load("hkdf_sha256_test.json") {
            for test in group.tests {
                let size = try test.size.unwrapped("size")
                let derived = try? HKDF.derive(
                    key: try bytes(test.ikm),
                    salt: try bytes(test.salt),
                    info: try bytes(test.info),
                    length: size
                )
                #expect(derived == (test.isValid ? try bytes(test.okm) : nil), "\(test.tcId) \(test.comment)")
                run += 1
            }
        }
        #expect(run == 86)
    }
}

/// A vector's field in hexadecimal.
func bytes(_ text: String?) throws -> [UInt8] {
    try Hex.decode(text.unwrapped("field")).unwrapped("hexadecimal")
}
