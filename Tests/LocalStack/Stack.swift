import Foundation
package import Models

/// The whole product on one machine: a private Postgres cluster, the four processes, the sandbox providers and a mail sink.
/// `make run`, the process tests and the fault runs are all this.
package actor Stack {
    package nonisolated let settings: StackSettings
    package nonisolated let postgres: PostgresCluster
    private var secrets: StackSecrets?
    private var environments: [ServiceName: [String: String]] = [:]
    private var services: [ServiceName: ChildProcess] = [:]
    private var sandbox: ChildProcess?
    package private(set) var sink: SMTPSink?
    private var sinkRound = 0

    package init(_ settings: StackSettings) {
        self.settings = settings
        self.postgres = PostgresCluster(
            directory: "\(settings.runDirectory)/postgres",
            port: settings.postgresPort,
            root: settings.root
        )
    }

    // MARK: - Start

    /// Brings everything up; what was up before goes on. `report` hears one line a step.
    package func start(report: @Sendable (String) -> Void = { _ in }) async throws {
        try FileManager.default.createDirectory(atPath: "\(self.settings.runDirectory)/logs", withIntermediateDirectories: true)
        PidFiles.killStrays(in: self.settings.runDirectory)
        for (service, port) in self.settings.ports where !FreePort.isFree(port) {
            throw LocalWait.TimedOut(
                description: "port \(port), meant for \(service.rawValue), is in use: set \(service.rawValue.uppercased())_PORT"
            )
        }
        let secrets = try StackSecrets.load(from: self.settings.runDirectory)
        self.secrets = secrets
        report("Postgres on port \(self.settings.postgresPort)")
        try await self.postgres.start()
        try await self.postgres.prepare(passwords: secrets.rolePasswords)
        self.environments = try await self.makeEnvironments(secrets)

        report("migrations")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in ServiceName.allCases { group.addTask { try await self.migrate(service) } }
            try await group.waitForAll()
        }
        if self.settings.hasSandbox {
            report("sandbox providers on port \(self.settings.sandboxPort), mail sink on port \(self.settings.sinkPort)")
            try await self.startSandbox()
            try await self.renewSink()
        }
        for service in ServiceName.allCases {
            report("\(service.rawValue) on port \(self.settings.ports[service] ?? 0)")
            try self.launch(service)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in ServiceName.allCases { group.addTask { try await self.waitUntilReady(service) } }
            try await group.waitForAll()
        }
    }

    private func makeEnvironments(_ secrets: StackSecrets) async throws -> [ServiceName: [String: String]] {
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
            if self.settings.hasSandbox {
                environment["OUTBOUND_ALLOW"] = "127.0.0.0/8"
                environment["HUBSPOT_BASE_URL"] = self.settings.sandboxURL
                environment["SENDGRID_BASE_URL"] = self.settings.sandboxURL
            }
            result[service] = environment.merging(self.settings.extraEnvironment) { $1 }
        }
        return result
    }

    private func migrate(_ service: ServiceName) async throws {
        guard let secrets, var environment = self.environments[service] else { return }
        let owner = "\(service.rawValue)_owner"
        environment["MIGRATION_DATABASE_URL"] = self.postgres.url(role: owner, password: secrets.rolePasswords[owner])
        try await ChildProcess.run("\(self.settings.binaries)/\(service.rawValue)", ["migrate"], environment: environment)
    }

    private func startSandbox() async throws {
        let sandbox = try ChildProcess(
            name: "sandbox",
            executable: "\(self.settings.binaries)/sandbox",
            arguments: ["--port", String(self.settings.sandboxPort), "--contacts", String(self.settings.contacts)],
            environment: ProcessInfo.processInfo.environment,
            output: self.settings.logFile("sandbox")
        )
        self.sandbox = sandbox
        PidFiles.write(sandbox, in: self.settings.runDirectory)
        try await LocalWait.port(self.settings.sandboxPort, of: sandbox)
    }

    /// A fresh sink with an empty file on the same port.
    @discardableResult
    package func renewSink() async throws -> SMTPSink {
        await self.sink?.stop()
        self.sinkRound += 1
        let sink = try await SMTPSink.start(
            tools: "\(self.settings.runDirectory)/tools",
            root: self.settings.root,
            port: self.settings.sinkPort,
            file: "\(self.settings.runDirectory)/mail-\(self.sinkRound).txt",
            log: self.settings.logFile("smtp-sink")
        )
        self.sink = sink
        return sink
    }

    // MARK: - Single processes

    package func launch(_ service: ServiceName) throws {
        let process = try ChildProcess(
            name: service.rawValue,
            executable: "\(self.settings.binaries)/\(service.rawValue)",
            arguments: [],
            environment: self.environments[service] ?? [:],
            output: self.settings.logFile(service.rawValue)
        )
        self.services[service] = process
        PidFiles.write(process, in: self.settings.runDirectory)
    }

    package func process(_ service: ServiceName) -> ChildProcess? { self.services[service] }

    /// `kill -9`, and the process is gone when this returns.
    package func kill(_ service: ServiceName) async {
        self.services[service]?.signal(SIGKILL)
        await self.services[service]?.exit()
    }

    package func waitUntilReady(_ service: ServiceName) async throws {
        guard let process = self.services[service] else { return }
        try await self.waitUntilReady(service, process)
    }

    private nonisolated func waitUntilReady(_ service: ServiceName, _ process: ChildProcess) async throws {
        try await PublicAPI.using(self.settings.url(service)) { api in
            try await LocalWait.until("\(service.rawValue) to be ready") { () -> Void? in
                guard process.isRunning else {
                    throw LocalWait.TimedOut(
                        description: "\(service.rawValue) ended; its log ends with:\n\(self.logTail(service.rawValue))"
                    )
                }
                return (try? await api.status("/readyz")) == 200 ? () : nil
            }
        }
    }

    private nonisolated func logTail(_ name: String) -> String {
        let text = (try? String(contentsOfFile: self.settings.logFile(name), encoding: .utf8)) ?? ""
        return String(text.suffix(3000))
    }

    /// The first of the stack's processes that has ended by itself, if one has.
    package func casualty() -> String? {
        (self.services.values + [self.sandbox].compactMap { $0 }).first { !$0.isRunning }?.name
    }

    // MARK: - Stop

    /// Stops all in the order in which nothing is lost: the door first, Postgres last. Answers the exit codes that were not 0.
    @discardableResult
    package func stop() async -> [String: Int32] {
        var failures: [String: Int32] = [:]
        for service in [ServiceName.gateway, .campaigns, .integrations, .webhooks] {
            guard let process = self.services[service] else { continue }
            let code = await process.stop()
            if code != 0 { failures[service.rawValue] = code }
        }
        await self.sandbox?.stop(grace: .seconds(5))
        await self.sink?.stop()
        try? await self.postgres.stop()
        PidFiles.clear(in: self.settings.runDirectory)
        return failures
    }
}
