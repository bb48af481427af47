import Foundation
import LocalStack
import Testing

/// Every process test runs on one stack: real executables on free ports, an own Postgres cluster, sandbox and mail sink.
@Suite(.serialized, .localStack)
enum EndToEnd {
    @TaskLocal static var stack: Stack = Stack(.onFreePorts(root: Paths.root, runDirectory: "/nonexistent", binaries: Paths.binaries))

    /// Contacts of a campaign in these tests.
    static let contacts = 300
}

enum Paths {
    /// Tests/EndToEndTests/LocalStackTrait.swift → the project's root.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .standardizedFileURL.path()

    /// The executables stand beside the test bundle that runs now.
    static let binaries = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path()
}

struct LocalStackTrait: SuiteTrait, TestScoping {
    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        let directory = "/var/tmp/switchboard-e2e-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var settings = StackSettings.onFreePorts(root: Paths.root, runDirectory: directory, binaries: Paths.binaries)
        settings.contacts = EndToEnd.contacts
        // Attacks come from as many addresses as they like: what one address may do is tested where it is limited.
        settings.extraEnvironment = FaultRun.environment.merging(
            [
                "TRUSTED_PROXIES": "127.0.0.1", "MEMBER_RATE_LIMIT": "100000", "MAIL_SMTP_HOST": "127.0.0.1",
                "MAIL_SMTP_PORT": String(settings.sinkPort), "MAIL_SMTP_SECURITY": "none", "MAIL_FROM": "switchboard@switchboard.example",
            ]
        ) { $1 }
        let stack = Stack(settings)
        let outcome: Result<Void, any Error>
        do {
            try await stack.start()
            outcome = .success(try await EndToEnd.$stack.withValue(stack) { try await function() })
        } catch {
            outcome = .failure(error)
        }
        let failures = await stack.stop()
        #expect(failures.isEmpty, "every process ends with 0 after SIGTERM")
        if case .success = outcome { try? FileManager.default.removeItem(atPath: directory) }
        try outcome.get()
    }
}

extension Trait where Self == LocalStackTrait {
    static var localStack: Self { LocalStackTrait() }
}
