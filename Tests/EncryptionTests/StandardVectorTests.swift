import Testing

@testable import Encryption

/// Vectors printed in the standards themselves.
@Suite struct StandardVectorTests {
    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 16 (NIST's submission): key, nonce, associated, plaintext, sealed.
    @Test(arguments: [
        [
            "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
            "530f8afbc74536b9a963b4f1c4cb738b",
        ],
        [
            "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
            "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        ],
        [
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
                + "b094dac5d93471bdec1a502270e3cc6c",
        ],
        [
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                + "76fc6ece0f4e1768cddf8853bb2d551b",
        ],
    ])
    func aesGCM(vector: [String]) throws {
        let parts = try vector.map { try bytes($0) }
        #expect(try AESGCM.seal(parts[3], key: parts[0], nonce: parts[1], associated: parts[2]) == parts[4])
        #expect(try AESGCM.open(parts[4], key: parts[0], nonce: parts[1], associated: parts[2]) == parts[3])
    }

    /// https://c2sp.org/XAES-256-GCM, "Test vectors": the two branches of the doubling in GF(2^128).
    @Test(arguments: [
        (UInt8(0x01), "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (UInt8(0x03), "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ])
    func extendedNonceGCM(keyByte: UInt8, associated: String, sealed: String) throws {
        var key = [UInt8](repeating: keyByte, count: 32)
        let gcm = try ExtendedGCM(key: SecretBytes(taking: &key))
        let plaintext = Array("XAES-256-GCM".utf8)
        let output = try [UInt8](unsafeUninitializedCapacity: plaintext.count + 16) { output, count in
            let start = try output.baseAddress.unwrapped("output")
            try plaintext.withUnsafeBufferPointer {
                try gcm.seal($0, nonce: Array("ABCDEFGHIJKLMNOPQRSTUVWX".utf8), associated: (Array(associated.utf8), []), into: start)
            }
            count = plaintext.count + 16
        }
        #expect(Hex.encode(output) == sealed)
    }

    /// RFC 4231 cases 1, 2 and 6 (a key longer than a block), RFC 2202 case 2.
    @Test(arguments: [
        (
            HMAC.Algorithm.sha256, [UInt8](repeating: 0x0B, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            .sha512, [UInt8](repeating: 0x0B, count: 20), "Hi There",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"
        ),
        (
            .sha256, Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            .sha256, [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (.sha1, Array("Jefe".utf8), "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        // The empty key and message, as RFC 2104 defines them; Python's hmac agrees.
        (.sha256, [], "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ])
    func hmac(algorithm: HMAC.Algorithm, key: [UInt8], message: String, tag: String) throws {
        #expect(Hex.encode(try HMAC.authenticate(algorithm, key: key, Array(message.utf8))) == tag)
        let kept = try HMACKey(algorithm, key: key)
        for _ in 0..<3 { #expect(Hex.encode(try kept.authenticate(Array(message.utf8))) == tag) }
    }

    /// FIPS 180-4 examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func sha256(message: String, digest: String) throws {
        #expect(Hex.encode(try SHA256.digest(Array(message.utf8))) == digest)
    }

    /// RFC 5869 appendix A, cases 1 and 3 (no salt, no info).
    @Test func hkdf() throws {
        let key = [UInt8](repeating: 0x0B, count: 22)
        let first = try HKDF.derive(
            key: key,
            salt: try bytes("000102030405060708090a0b0c"),
            info: try bytes("f0f1f2f3f4f5f6f7f8f9"),
            length: 42
        )
        #expect(Hex.encode(first) == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        let third = try HKDF.derive(key: key, salt: [], info: [], length: 42)
        #expect(Hex.encode(third) == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
        #expect(throws: EncryptionError.self) { try HKDF.derive(key: key, salt: [], info: [], length: 8161) }
        #expect(throws: EncryptionError.self) { try HKDF.derive(key: [], salt: [], info: [], length: 32) }
    }

    /// RFC 7914 section 12, the vectors with N = 1024 and 16384.
    @Test(arguments: [
        (
            "password", "NaCl", 10, 8, 16,
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        ),
        (
            "pleaseletmein", "SodiumChloride", 14, 8, 1,
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
        ),
    ])
    func scrypt(password: String, salt: String, logCost: Int, blockSize: Int, parallelism: Int, hash: String) throws {
        let parameters = Scrypt.Parameters(logCost: logCost, blockSize: blockSize, parallelism: parallelism)
        #expect(Hex.encode(try Scrypt.derive(Array(password.utf8), salt: Array(salt.utf8), parameters, length: 64)) == hash)
    }

    /// RFC 8032 section 7.1, tests 1 to 3: seed, public key, message, signature.
    @Test(arguments: [
        [
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ],
        [
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ],
        [
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ],
    ])
    func ed25519(vector: [String]) throws {
        let parts = try vector.map { try bytes($0) }
        let key = try Ed25519.PrivateKey(seed: parts[0])
        #expect(try key.publicKey == parts[1])
        #expect(try key.seed == parts[0])
        #expect(try key.sign(parts[2]) == parts[3])
        #expect(try Ed25519.isValid(parts[3], for: parts[2], publicKey: parts[1]))
        #expect(try !Ed25519.isValid(parts[3], for: parts[2] + [0], publicKey: parts[1]))
    }
}
