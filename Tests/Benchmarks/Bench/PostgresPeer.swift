import Foundation

/// pgbench and psql on the same server, and the tables that both sides use.
struct PostgresPeer: Sendable {
    enum Script: String, Sendable { case write, transaction, pipeline }

    private let url: String
    private let scratch: String
    private let scale: Int

    init(url: String, scratch: String, scale: Int) {
        self.url = url
        self.scratch = scratch
        self.scale = scale
    }

    func prepare(bulkRows: Int, line: (Int) -> String) throws {
        _ = try Tool.run("pgbench", ["-i", "-q", "-s", "\(self.scale)", self.url])
        try self.psql(
            "CREATE TABLE bench_rows (organization_id bigint, id bigint, kind smallint, email text, PRIMARY KEY (organization_id, id))"
        )
        let rows = (1...bulkRows).map { line($0) + "\n" }.joined()
        try rows.write(toFile: self.bulkFile, atomically: false, encoding: .utf8)
        for script in [Script.write, .transaction, .pipeline] {
            try self.text(of: script).write(toFile: self.path(script), atomically: false, encoding: .utf8)
        }
    }

    private func text(of script: Script) -> String {
        let update = "UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;"
        let statements = """
            BEGIN;
            SELECT abalance FROM pgbench_accounts WHERE aid = :aid FOR UPDATE;
            \(update)
            INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, :delta, now());
            COMMIT;
            """
        let body =
            switch script {
            case .write: update
            case .transaction: statements
            case .pipeline: "\\startpipeline\n\(statements)\n\\endpipeline"
            }
        return "\\set aid random(1, \(self.scale * 100_000))\n\\set delta random(1, 1000)\n\(body)\n"
    }

    private var bulkFile: String { self.scratch + "/bulk.tsv" }
    private func path(_ script: Script) -> String { "\(self.scratch)/\(script.rawValue).sql" }

    /// Transactions a second over three seconds.
    func pgbench(_ arguments: [String], connections: Int) throws -> Double {
        let text = try Tool.run(
            "pgbench",
            ["-n", "-M", "prepared", "-c", "\(connections)", "-j", "2", "-T", "3"] + arguments + [self.url]
        )
        return try Tool.number(after: "tps =", in: text)
    }

    func pgbench(_ script: Script, connections: Int) throws -> Double {
        try self.pgbench(["-f", self.path(script)], connections: connections)
    }

    /// psql's own time of the \copy alone, without its start.
    func copySeconds() throws -> Double {
        let text = try Tool.run(
            "psql",
            ["-X", "-q", "-c", "\\timing on", "-c", "\\copy bench_rows FROM '\(self.bulkFile)'", self.url]
        )
        return try Tool.number(after: "Time:", in: text) / 1000
    }

    private func psql(_ statement: String) throws {
        _ = try Tool.run("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url])
    }
}
