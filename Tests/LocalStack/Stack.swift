import Foundation
package import Models

#if canImport(Glibc)
import Glibc
#endif

/// The whole product on one machine: a private Postgres cluster, the four processes, the sandbox providers and a mail sink.
/// `make run`, the process tests and the fault runs are all this.
package actor Stack {
    package nonisolated let settings: StackSettings
    package nonisolated let postgres: PostgresCluster
    private var secrets: StackSecrets?
    private var environments: [ServiceName: [String: String]] = [:]
    private var services: [ServiceName: ChildProcess] = [:]
    private var sandbox: ChildProcess?
    private var sink: SMTPSink?
    private var sinkRound = 0
    /// Held from ``claim(report:)`` to ``stop()``. Without it nothing of the run directory is this stack's to stop.
    private var lock: RunLock?
    private var isUp = false
    private let joinedMail: MailFile?

    package init(_ settings: StackSettings) { self.init(settings, joinedMail: nil) }

    /// A stack that another launcher keeps: this one starts and stops nothing of it.
    init(joining running: RunningStack) { self.init(running.settings, joinedMail: running.mail) }

    private init(_ settings: StackSettings, joinedMail: MailFile?) {
        self.settings = settings
        self.joinedMail = joinedMail
        self.postgres = PostgresCluster(
            directory: "\(settings.runDirectory)/postgres",
            port: settings.postgresPort,
            root: settings.root
        )
    }

    /// What the mail sink has received.
    package var mail: MailFile? { self.sink?.mail ?? self.joinedMail }

    // MARK: - Start

    /// Takes the run directory, ends what a killed launcher left in it and makes sure of every port. Nothing is started where it throws.
    package func claim(report: @Sendable (String) -> Void = { _ in }) async throws {
        let directory = self.settings.runDirectory
        try FileManager.default.createDirectory(atPath: "\(directory)/logs", withIntermediateDirectories: true)
        let lock = try RunLock(directory)
        do {
            try lock.announce(self.announcement())
            let strays = try await self.endStrays()
            if !strays.isEmpty { report("ended what an earlier launcher left: \(strays.joined(separator: ", "))") }
            try await self.settings.checkPorts(patience: strays.isEmpty ? .zero : .seconds(10))
        } catch {
            lock.release()
            throw error
        }
        self.lock = lock
    }

    /// Ends what a killed launcher left in a run directory that no start will use again; nothing where a launcher is alive on it.
    package func endAbandoned() async throws {
        guard let lock = try? RunLock(self.settings.runDirectory) else { return }
        defer { lock.release() }
        _ = try await self.endStrays()
    }

    private func endStrays() async throws -> [String] {
        let strays = try await PidFiles.endStrays(in: self.settings.runDirectory)
        try await self.postgres.stop()
        return strays
    }

    private func announcement() throws -> RunningStack {
        guard let launcher = ProcessIdentity(getpid()) else { throw CocoaError(.fileReadUnknown) }
        return RunningStack(launcher: launcher, settings: self.settings, isUp: self.isUp, mail: self.mail)
    }

    /// Brings everything up; what was up before goes on. `report` hears one line a step.
    package func start(report: @Sendable (String) -> Void = { _ in }) async throws {
        if self.lock == nil { try await self.claim(report: report) }
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
        self.isUp = true
        try self.lock?.announce(self.announcement())
    }

    /// The first key that this service and its peer share: for those who test what the other processes would do.
    package func internalKey(of service: ServiceName, with peer: ServiceName) -> Secret? {
        self.environments[service]?["INTERNAL_KEY_\(peer.rawValue.uppercased())"]?.split(separator: ",").first.map { Secret(String($0)) }
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
        try await self.waitUntilListening(sandbox, on: self.settings.sandboxPort)
    }

    /// A fresh sink with an empty file on the same port.
    package func renewSink() async throws {
        await self.sink?.stop()
        self.sinkRound += 1
        let sink = try await SMTPSink.launch(
            tools: "\(self.settings.runDirectory)/tools",
            root: self.settings.root,
            port: self.settings.sinkPort,
            file: "\(self.settings.runDirectory)/mail-\(self.sinkRound).txt",
            log: self.settings.logFile("smtp-sink")
        )
        self.sink = sink
        PidFiles.write(sink.process, in: self.settings.runDirectory)
        try await self.waitUntilListening(sink.process, on: self.settings.sinkPort)
        try self.lock?.announce(self.announcement())
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

    /// One more process of a service, on a port of its own. Who asks for it stops it.
    /// - adding: variables that this one has beside, or instead of, those of the others.
    package func launchReplica(
        of service: ServiceName,
        number: Int,
        adding: [String: String] = [:]
    ) async throws -> (process: ChildProcess, url: String) {
        let port = FreePort.take()
        var environment = (self.environments[service] ?? [:]).merging(adding) { $1 }
        environment["\(service.rawValue.uppercased())_PORT"] = String(port)
        let name = "\(service.rawValue)-\(number)"
        let process = try ChildProcess(
            name: name,
            executable: "\(self.settings.binaries)/\(service.rawValue)",
            arguments: [],
            environment: environment,
            output: self.settings.logFile(name)
        )
        PidFiles.write(process, in: self.settings.runDirectory)
        try await self.waitUntilListening(process, on: port)
        let url = "http://127.0.0.1:\(port)"
        try await PublicAPI.using(url) { api in
            try await LocalWait.until("\(name) to be ready") { () -> Void? in (try? await api.status("/readyz")) == 200 ? () : nil }
        }
        return (process, url)
    }

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
        try await self.waitUntilListening(process, on: self.settings.ports[service] ?? 0)
        try await PublicAPI.using(self.settings.url(service)) { api in
            try await LocalWait.until("\(service.rawValue) to be ready; see \(self.settings.logFile(service.rawValue))") { () -> Void? in
                guard process.isRunning else { throw await self.ended(process) }
                return (try? await api.status("/readyz")) == 200 ? () : nil
            }
        }
    }

    /// Until the process itself listens on its port; fails at once where it has ended.
    private nonisolated func waitUntilListening(_ process: ChildProcess, on port: Int) async throws {
        try await LocalWait.until("\(process.name) on port \(port); see \(self.settings.logFile(process.name))") { () -> Void? in
            guard process.isRunning else { throw await self.ended(process) }
            return Listener.isOn(port, process: process.pid) ? () : nil
        }
    }

    /// A process of the stack that ended without being told to.
    package struct Casualty: Error, CustomStringConvertible { package var description: String }

    private nonisolated func ended(_ process: ChildProcess) async -> Casualty {
        let log = self.settings.logFile(process.name)
        let lines = ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n").suffix(5)
        let tail = lines.isEmpty ? "" : ", which ends with" + lines.map { "\n  \($0.prefix(300))" }.joined()
        return Casualty(description: "\(process.name) ended by itself with \(await process.exit()); see \(log)\(tail)")
    }

    /// The first of the stack's processes that has ended by itself, if one has.
    package func casualty() async -> Casualty? {
        let processes = Array(self.services.values) + [self.sandbox, self.sink?.process].compactMap { $0 }
        guard let process = processes.first(where: { !$0.isRunning }) else { return nil }
        return await self.ended(process)
    }

    // MARK: - Stop

    /// Stops all in the order in which nothing is lost: the door first, Postgres last. Answers the exit codes that were not 0.
    @discardableResult
    package func stop() async -> [String: Int32] {
        guard let lock else { return [:] }
        self.isUp = false
        try? lock.announce(self.announcement())
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
        lock.release()
        self.lock = nil
        return failures
    }
}
