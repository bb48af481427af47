package import Models

/// Where a local stack lives and what it consists of.
package struct StackSettings: Codable, Sendable {
    /// The project's root, where `compose/` is.
    package var root: String
    /// Everything that the stack writes.
    package var runDirectory: String
    /// Where `gateway`, `integrations`, … were built.
    package var binaries: String
    package var ports: [ServiceName: Int]
    package var postgresPort: Int
    package var sandboxPort: Int
    package var sinkPort: Int
    /// The provider stand-ins and the mail sink run beside the services.
    package var hasSandbox = true
    /// Contacts in the sandbox CRM.
    package var contacts = 10_000
    /// Variables for every service beyond the ordinary ones: short leases in the fault runs, say.
    package var extraEnvironment: [String: String] = [:]

    package init(
        root: String,
        runDirectory: String,
        binaries: String,
        ports: [ServiceName: Int],
        postgresPort: Int,
        sandboxPort: Int,
        sinkPort: Int
    ) {
        self.root = root
        self.runDirectory = runDirectory
        self.binaries = binaries
        self.ports = ports
        self.postgresPort = postgresPort
        self.sandboxPort = sandboxPort
        self.sinkPort = sinkPort
    }

    /// Every port is a free one: for tests and fault runs, beside anything else on the machine.
    package static func onFreePorts(root: String, runDirectory: String, binaries: String) -> StackSettings {
        var taken: Set<Int> = []
        func port() -> Int {
            while true {
                let port = FreePort.take()
                if taken.insert(port).inserted { return port }
            }
        }
        return StackSettings(
            root: root,
            runDirectory: runDirectory,
            binaries: binaries,
            ports: Dictionary(uniqueKeysWithValues: ServiceName.allCases.map { ($0, port()) }),
            postgresPort: port(),
            sandboxPort: port(),
            sinkPort: port()
        )
    }

    package func url(_ service: ServiceName) -> String { "http://127.0.0.1:\(self.ports[service] ?? 0)" }
    package var gatewayURL: String { self.url(.gateway) }
    package var sandboxURL: String { "http://127.0.0.1:\(self.sandboxPort)" }

    package func logFile(_ name: String) -> String { "\(self.runDirectory)/logs/\(name).log" }
}
