import ArgumentParser
import Foundation
import LocalStack

/// Starts all, runs the demo job once, stays up until Ctrl-C.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Start everything, run the demo job once, stay up.")
    @OptionGroup var options: StackOptions

    func run() async throws {
        let stack = Stack(try self.options.settings())
        try await StaysUp.run(stack) {
            let workspace = Workspace(stack.settings)
            if workspace.isDemoDone {
                Screen.say("The demo job has been done before (make demo repeats it).")
            } else {
                try await workspace.runDemo(on: stack)
            }
        }
    }
}

/// The same without demo job and sandbox.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "up", abstract: "Start the services only, stay up.")
    @OptionGroup var options: StackOptions

    func run() async throws {
        var settings = try self.options.settings()
        settings.hasSandbox = false
        try await StaysUp.run(Stack(settings)) {}
    }
}

/// Runs the demo job again, in a new workspace, on a stack of its own start or one that `make run` keeps up.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run the demo job again: on the stack that is up, or start everything and stay up."
    )
    @OptionGroup var options: StackOptions

    func run() async throws {
        let settings = try self.options.settings()
        if let running = RunningStack.find(in: settings.runDirectory) {
            try await self.join(running)
        } else {
            let stack = Stack(settings)
            try await StaysUp.run(stack) { try await Workspace(stack.settings).runDemo(on: stack) }
        }
    }

    /// Its ports are those of the launcher that keeps it, whatever this one's environment says; it stays up afterwards.
    private func join(_ running: RunningStack) async throws {
        Screen.say("Joining the stack that launcher \(running.launcher.pid) keeps up.")
        let stack = try await running.joined()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Workspace(stack.settings).runDemo(on: stack) }
            group.addTask { try await running.watch() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
