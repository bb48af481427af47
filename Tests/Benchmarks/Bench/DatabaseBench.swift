import Database
import Foundation
import Logging
import Models
import ServiceLifecycle

/// Reads, writes, transactions and bulk on the tables of `pgbench -i`, over TCP like pgbench's.
struct DatabaseBench: Sendable {
    /// 1,000,000 accounts.
    static let scale = 10
    private static let accounts = Self.scale * 100_000
    private static let bulkRows = 300_000

    let database: Postgres
    let peer: PostgresPeer

    static func run(url: String, scratch: String, report: inout Report) async throws {
        let peer = PostgresPeer(url: url, scratch: scratch, scale: self.scale)
        try peer.prepare(bulkRows: self.bulkRows, line: { self.fields($0).joined(separator: "\t") })
        let configuration = DatabaseConfiguration(url: Secret(url), schema: "public", applicationName: "bench")
        let bench = DatabaseBench(database: Postgres(configuration, logger: Logger(label: "bench")), peer: peer)
        let service = Task { try await bench.database.run() }
        for contest in [bench.selects, bench.writes, bench.transactions, bench.bulk] { try await report.hold(contest) }
        service.cancel()
        _ = await service.result
    }

    private var selects: Contest {
        Contest(
            title: "prepared primary-key selects, 64 callers",
            aim: 1.2,
            contestants: [
                .init("Postgres.readFirst", .ours) {
                    try await Throughput.concurrent(callers: 64) { dice in
                        let id = dice.next(upTo: Self.accounts)
                        let balance: Int? = try await self.database.readFirst("SELECT abalance FROM pgbench_accounts WHERE aid = \(id)")
                        guard balance != nil else { throw Tool.Failure(description: "an account is missing") }
                    }
                }
            ]
                + [2, 4, 8, 16].map { count in
                    .init("pgbench -S -M prepared -c \(count)", .rival) { try self.peer.pgbench(["-S"], connections: count) }
                }
        )
    }

    private var writes: Contest {
        Contest(
            title: "independent writes, 64 callers",
            aim: nil,
            contestants: [
                .init("Postgres.write", .ours) {
                    try await Throughput.concurrent(callers: 64) { dice in
                        let (id, delta) = (dice.next(upTo: Self.accounts), dice.next(upTo: 1000))
                        try await self.database.write("UPDATE pgbench_accounts SET abalance = abalance + \(delta) WHERE aid = \(id)")
                    }
                }
            ]
                + [4, 16, 64].map { count in
                    .init("pgbench, the same statement, -c \(count)", .rival) { try self.peer.pgbench(.write, connections: count) }
                }
        )
    }

    /// BEGIN, SELECT … FOR UPDATE, UPDATE, INSERT, COMMIT in one round trip.
    private var transactions: Contest {
        Contest(
            title: "transactions of 3 statements, 64 callers",
            aim: nil,
            contestants: [
                .init("Postgres.write(all:)", .ours) {
                    try await Throughput.concurrent(callers: 64) { dice in
                        let (id, delta) = (dice.next(upTo: Self.accounts), dice.next(upTo: 1000))
                        try await self.database.write(all: [
                            "SELECT abalance FROM pgbench_accounts WHERE aid = \(id) FOR UPDATE",
                            "UPDATE pgbench_accounts SET abalance = abalance + \(delta) WHERE aid = \(id)",
                            "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, \(id), \(delta), now())",
                        ])
                    }
                }
            ]
                + [4, 16].flatMap { count in
                    [
                        .init("pgbench, the same, -c \(count)", .rival) { try self.peer.pgbench(.transaction, connections: count) },
                        .init("pgbench, pipelined, -c \(count)", .rival) { try self.peer.pgbench(.pipeline, connections: count) },
                    ]
                }
        )
    }

    private var bulk: Contest {
        Contest(
            title: "bulk insert (COPY), rows",
            aim: 0.7,
            contestants: [
                .init("Transaction.copy", .ours) {
                    try await self.database.write("TRUNCATE bench_rows")
                    let clock = ContinuousClock()
                    let start = clock.now
                    let count = try await self.database.transaction { transaction in
                        try transaction.copy(
                            into: "bench_rows",
                            columns: ["organization_id", "id", "kind", "email"],
                            rows: (1...Self.bulkRows).lazy.map(Self.values)
                        )
                    }
                    guard count == Self.bulkRows else { throw Tool.Failure(description: "\(count) rows copied") }
                    return Double(count) / (clock.now - start).seconds
                },
                .init("psql \\copy", .rival) {
                    try await self.database.write("TRUNCATE bench_rows")
                    return Double(Self.bulkRows) / (try self.peer.copySeconds())
                },
            ]
        )
    }

    private static func values(_ number: Int) -> [(any SQLEncodable)?] {
        [Int64(number % 50 + 1), Int64(number), Int16(number % 7), "contact-\(number)@example.com"]
    }

    /// The same row as text, for the file that psql reads.
    private static func fields(_ number: Int) -> [String] {
        let numbers: [Int] = [number % 50 + 1, number, number % 7]
        return numbers.map(String.init) + ["contact-\(number)@example.com"]
    }
}
