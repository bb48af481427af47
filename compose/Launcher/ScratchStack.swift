import ArgumentParser
import Foundation
import LocalStack

/// A stack of its own for one measurement: on free ports, in a folder that goes when all was well and stays for a look where it was not.
enum ScratchStack {
    private static let home = "/var/tmp"

    /// - body: answers whether all was well.
    /// - Throws: `ExitCode.failure` where it was not.
    static func run(
        _ options: StackOptions,
        name: String,
        configure: (inout StackSettings) -> Void,
        _ body: @escaping @Sendable (Stack) async throws -> Bool
    ) async throws {
        let settings = try options.settings()
        let prefix = "switchboard-\(name)-"
        let directory = "\(Self.home)/\(prefix)\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var own = StackSettings.onFreePorts(root: settings.root, runDirectory: directory, binaries: settings.binaries)
        configure(&own)
        try await Self.endAbandoned(prefix, like: own)
        let stack = Stack(own)
        let isWell = Verdict()
        do {
            try await StaysUp.stopping(stack) {
                try await stack.start { Screen.say("  \($0)") }
                if try await body(stack) { await isWell.set() }
            }
        } catch {
            Screen.say("The stack's folder is kept: \(directory)")
            throw error
        }
        guard await isWell.value else {
            Screen.say("The stack's folder is kept: \(directory)")
            throw ExitCode.failure
        }
        try? FileManager.default.removeItem(atPath: directory)
    }

    private actor Verdict {
        private(set) var value = false
        func set() { self.value = true }
    }

    /// Every run has a folder of its own, so what a killed one left is found by no later start of the same stack.
    private static func endAbandoned(_ prefix: String, like settings: StackSettings) async throws {
        for folder in try FileManager.default.contentsOfDirectory(atPath: self.home) where folder.hasPrefix(prefix) {
            var old = settings
            old.runDirectory = "\(self.home)/\(folder)"
            try await Stack(old).endAbandoned()
        }
    }
}
