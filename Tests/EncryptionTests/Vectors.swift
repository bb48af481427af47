import Foundation
import Models

/// Project Wycheproof's test vectors, read from the folder that `VECTORS_DIR` names.
enum Vectors {
    static let directory = ProcessInfo.processInfo.environment["VECTORS_DIR"]

    struct File: Decodable {
        var testGroups: [Group]
    }

    struct Group: Decodable {
        var keySize: Int?
        var ivSize: Int?
        var tagSize: Int?
        var publicKey: PublicKey?
        var publicKeyDer: String?
        var tests: [Test]
    }

    struct PublicKey: Decodable {
        var pk: String?
    }

    /// The union of the fields of the files that are read; each file has its own few.
    struct Test: Decodable {
        var tcId: Int
        var comment: String
        var result: String
        var key, iv, aad, msg, ct, tag, sig, ikm, salt, info, okm: String?
        var size: Int?

        var isValid: Bool { self.result == "valid" }
    }

    static func load(_ name: String) throws -> [Group] {
        let path = try (self.directory.unwrapped("VECTORS_DIR")) + "/" + name
        return try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(filePath: path))).testGroups
    }
}

/// A field that a vector lacks.
struct MissingField: Error {
    var name: String
}

extension Optional {
    func unwrapped(_ name: String) throws -> Wrapped {
        guard let self else { throw MissingField(name: name) }
        return self
    }
}
