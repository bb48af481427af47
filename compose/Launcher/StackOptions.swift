import ArgumentParser
import Foundation
import LocalStack
import Models

/// Where things are. Ports come from the environment, as for the processes themselves.
struct StackOptions: ParsableArguments {
    @Option(help: "The project's root.")
    var root = FileManager.default.currentDirectoryPath

    @Option(help: "Where the executables were built.")
    var binaries = ".build/release"

    @Option(help: "Contacts in the sandbox CRM.")
    var contacts: Int?

    @Option(
        help: ArgumentHelp("A variable for every service, beyond the ordinary ones; may be given several times.", valueName: "NAME=VALUE")
    )
    var set: [String] = []

    func settings() throws -> StackSettings {
        let environment = ProcessInfo.processInfo.environment
        func port(_ name: String, _ standard: Int) throws -> Int {
            guard let text = environment[name], !text.isEmpty else { return standard }
            guard let port = Int(text), (1...65535).contains(port) else { throw ValidationError("\(name) is not a port: \(text)") }
            return port
        }
        let root = URL(filePath: self.root).standardizedFileURL.path()
        let run = environment["RUN_DIR"] ?? "\(root)/.run"
        var settings = StackSettings(
            root: root,
            runDirectory: URL(filePath: run).standardizedFileURL.path(),
            binaries: URL(filePath: self.binaries, relativeTo: URL(filePath: root + "/")).standardizedFileURL.path(),
            ports: [
                .gateway: try port("GATEWAY_PORT", 8080), .integrations: try port("INTEGRATIONS_PORT", 8081),
                .campaigns: try port("CAMPAIGNS_PORT", 8082), .webhooks: try port("WEBHOOKS_PORT", 8083),
            ],
            postgresPort: try port("POSTGRES_PORT", 8084),
            sandboxPort: try port("SANDBOX_PORT", 8090),
            sinkPort: try port("SMTP_SINK_PORT", 8025)
        )
        if let contacts { settings.contacts = contacts }
        for variable in self.set {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else { throw ValidationError("--set takes NAME=VALUE, not \(variable)") }
            settings.extraEnvironment[String(parts[0])] = String(parts[1])
        }
        return settings
    }
}
