/// What a launcher tells of the stack that it keeps, in its run directory: enough for the demo job of another launcher to join it.
package struct RunningStack: Codable, Sendable {
    package let launcher: ProcessIdentity
    package let settings: StackSettings
    /// Whether everything has started.
    package var isUp: Bool
    var mail: MailFile?

    /// The stack of a launcher that is alive on this run directory.
    package static func find(in runDirectory: String) -> RunningStack? { RunLock.running(in: runDirectory) }

    /// What a second launcher on the same run directory is told.
    var refusal: String {
        """
        launcher \(self.launcher.pid) already runs Switchboard in \(self.settings.runDirectory), at \(self.settings.gatewayURL): \
        stop it with Ctrl-C in its terminal or 'kill \(self.launcher.pid)', or set RUN_DIR and the ports for a second one
        """
    }

    package struct Gone: Error, CustomStringConvertible { package var description: String }

    /// The stack once it is up. Its processes stay the other launcher's: it is neither started nor stopped from here.
    package func joined() async throws -> Stack {
        guard self.settings.hasSandbox else {
            throw Gone(
                description: "launcher \(self.launcher.pid) runs the services without the sandbox that the demo job needs: "
                    + "stop it with 'kill \(self.launcher.pid)' and use 'make run'"
            )
        }
        let running = try await LocalWait.until("launcher \(self.launcher.pid) to have started everything", within: .seconds(180)) {
            try self.stillRunning().flatMap { $0.isUp ? $0 : nil }
        }
        return Stack(joining: running)
    }

    /// Returns only by throwing, when the launcher that keeps the stack ends or stops it.
    package func watch() async throws {
        while true {
            if let now = try self.stillRunning(), !now.isUp {
                throw Gone(description: "launcher \(self.launcher.pid), which kept the stack up, is stopping it")
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// The newest announcement; nil while it is being written.
    private func stillRunning() throws -> RunningStack? {
        guard self.launcher.isAlive else {
            throw Gone(description: "launcher \(self.launcher.pid), which kept the stack up, has ended")
        }
        return RunLock.running(in: self.settings.runDirectory)
    }
}
