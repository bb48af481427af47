import Foundation
import LocalStack

/// The demo workspace of a run directory: `demo.env` tells how to get in.
struct Workspace {
    let settings: StackSettings

    init(_ settings: StackSettings) { self.settings = settings }

    private var demoFile: String { "\(self.settings.runDirectory)/demo.env" }

    var isDemoDone: Bool { FileManager.default.fileExists(atPath: self.demoFile) }

    struct Inexact: Error, CustomStringConvertible {
        var description: String { "the demo job did not end as it should: see the table above" }
    }

    func runDemo(on stack: Stack) async throws {
        let name = String(UInt32.random(in: 0..<UInt32.max), radix: 36)
        let job = DemoJob(stack: stack, name: name, report: Screen.progress)
        Screen.say("\nThe demo job, over the public API at \(self.settings.gatewayURL):")
        let (credentials, summary) = try await job.run(email: "owner-\(name)@demo.example", password: Self.password(for: name))
        Screen.say("\n" + Self.table(summary).description)
        guard summary.isExact, summary.inDoubt.isEmpty else { throw Inexact() }
        try self.write(credentials, postgres: stack.postgres)
    }

    private static func password(for name: String) -> String { "demo-\(name)-\(UInt64.random(in: 0...UInt64.max))" }

    private func write(_ credentials: DemoJob.Credentials, postgres: PostgresCluster) throws {
        let lines = [
            "GATEWAY_URL=\(self.settings.gatewayURL)",
            "DEMO_EMAIL=\(credentials.email)",
            "DEMO_PASSWORD=\(credentials.password)",
            "DEMO_API_KEY=\(credentials.apiKey)",
            "SANDBOX_URL=\(self.settings.sandboxURL)",
            "DATABASE_URL=\(postgres.url(role: "postgres"))",
        ]
        try PrivateFile.write(Data((lines.joined(separator: "\n") + "\n").utf8), to: self.demoFile)
        Screen.say("How to get in: \(self.demoFile)")
    }

    static func table(_ summary: DemoJob.Summary) -> TextTable {
        var table = TextTable(["what", "result"])
        table.add(["contacts synced", "\(summary.contactsSynced) of \(summary.contactsExpected)"])
        table.add(["messages at the mail sink", String(summary.messagesAtSink)])
        table.add(["duplicates", String(summary.duplicated.count)])
        table.add(["lost", String(summary.missing.count)])
        table.add(["in doubt", String(summary.inDoubt.count)])
        table.add(["webhook verified", summary.isWebhookVerified ? "yes" : "no"])
        for step in summary.seconds {
            table.add(["seconds: \(step.step)", step.seconds.formatted(.number.precision(.fractionLength(1)))])
        }
        return table
    }
}
