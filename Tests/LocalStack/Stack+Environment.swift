import Foundation
import Models

extension Stack {
    /// The variables of each service.
    nonisolated func makeEnvironments(_ secrets: StackSecrets) async throws -> [ServiceName: [String: String]] {
        let keys = try await secrets.internalKeys(root: self.settings.root, directory: self.settings.runDirectory)
        var result: [ServiceName: [String: String]] = [:]
        for service in ServiceName.allCases {
            let name = service.rawValue
            var environment = [
                "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
                "SWITCHBOARD_ENV": "production",
                "HOST": "127.0.0.1",
                "\(name.uppercased())_PORT": String(self.settings.ports[service] ?? 0),
                "DATABASE_URL": self.postgres.url(role: name, password: secrets.rolePasswords[name]),
                "PUBLIC_URL": self.settings.gatewayURL,
                "ENCRYPTION_KEY": secrets.encryptionKeys[name] ?? "",
            ]
            if let libraries = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"] { environment["LD_LIBRARY_PATH"] = libraries }
            for peer in ServiceName.allCases where peer != service {
                environment["\(peer.rawValue.uppercased())_URLS"] = self.settings.url(peer)
            }
            environment.merge(keys[service] ?? [:]) { $1 }
            let docs = "\(self.settings.root)/.build/docs-assets"
            if service == .gateway, FileManager.default.fileExists(atPath: docs) { environment["DOCS_ASSETS"] = docs }
            if self.settings.hasSandbox {
                environment["OUTBOUND_ALLOW"] = "127.0.0.0/8"
                environment["HUBSPOT_BASE_URL"] = self.settings.sandboxURL
                environment["SENDGRID_BASE_URL"] = self.settings.sandboxURL
            }
            result[service] = environment.merging(self.settings.extraEnvironment) { $1 }
        }
        return result
    }
}
