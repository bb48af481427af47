import Encryption
import Foundation
import Models

/// The keys and passwords of one local stack, made at its first start and kept in its folder, readable by its user alone.
struct StackSecrets: Codable, Sendable {
    var master: String
    var encryptionKeys: [String: String]
    var rolePasswords: [String: String]

    static func load(from directory: String) throws -> StackSecrets {
        let path = "\(directory)/secrets.json"
        if let data = FileManager.default.contents(atPath: path) {
            return try JSONDecoder().decode(StackSecrets.self, from: data)
        }
        let roles = ServiceName.allCases.flatMap { [$0.rawValue, "\($0.rawValue)_owner"] }
        let secrets = StackSecrets(
            master: try RandomToken.base62(43),
            encryptionKeys: try Dictionary(
                uniqueKeysWithValues: ServiceName.allCases.map { ($0.rawValue, Data(try RandomToken.bytes(32)).base64EncodedString()) }
            ),
            rolePasswords: try Dictionary(uniqueKeysWithValues: roles.map { ($0, try RandomToken.base62(24)) })
        )
        try PrivateFile.write(try JSONEncoder().encode(secrets), to: path)
        return secrets
    }

    /// `INTERNAL_KEY_<PEER>` of every process, derived by the same script that deployments use.
    /// - directory: of this stack; the master passes through a file there, because arguments are for everyone to read.
    func internalKeys(root: String, directory: String) async throws -> [ServiceName: [String: String]] {
        let file = "\(directory)/master"
        try PrivateFile.write(Data(self.master.utf8), to: file)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let output = try await ChildProcess.run("\(root)/compose/keys.sh", [file])
        var keys: [ServiceName: [String: String]] = [:]
        for line in output.split(separator: "\n") {
            let halves = line.split(separator: "=", maxSplits: 1)
            let names = halves[0].lowercased().split(separator: "_").dropFirst().compactMap { ServiceName(rawValue: String($0)) }
            guard halves.count == 2, names.count == 2 else { continue }
            keys[names[0], default: [:]]["INTERNAL_KEY_\(names[1].rawValue.uppercased())"] = String(halves[1])
            keys[names[1], default: [:]]["INTERNAL_KEY_\(names[0].rawValue.uppercased())"] = String(halves[1])
        }
        return keys
    }
}
