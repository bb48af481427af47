import Database
import Foundation
import Logging
import Models
import TestSupport
import Testing

@Suite struct RecoveryTests {
    @Test func aCrashedServerThatComesBackIsUsedAgain() async throws {
        let cluster = try await PrivateCluster.start()
        do {
            try await withClient(cluster.url, { ($0.schema, $0.readConnections, $0.waitLimit) = ("public", 2, .seconds(60)) }) { client in
                try await withClient(cluster.url, { ($0.schema, $0.waitLimit) = ("public", .milliseconds(200)) }) { impatient in
                    try await Self.crashAndRecover(cluster, client, impatient)
                }
            }
        } catch {
            Issue.record(error)
        }
        try await cluster.remove()
    }

    private static func crashAndRecover(_ cluster: PrivateCluster, _ client: Postgres, _ impatient: Postgres) async throws {
        try await client.write("CREATE TABLE kept (id bigint)")
        var heard = client.listen(["a"]).makeAsyncIterator()
        #expect(await heard.next() == .reconnected)
        let inFlight = Task { try await client.write("SELECT pg_sleep(30)") }
        let reading = Task { try await client.readFirst("SELECT 4 FROM pg_sleep(2)", as: Int.self) }
        try await client.waitUntilRunning("pg_sleep(30)", role: "postgres")
        try await eventually("the impatient one is connected") { await impatient.ping() }

        try await cluster.stop("immediate")
        let lost = try await databaseError { try await inFlight.value }
        #expect(lost?.kind == .connectionLost)
        let away = try await databaseError { try await impatient.write("INSERT INTO kept VALUES (0)") }
        #expect(away?.kind == .unavailable)
        let unread = try await databaseError { try await impatient.readFirst("SELECT 1", as: Int.self) }
        #expect(unread?.kind == .unavailable)

        // These wait for the server, well within their limit.
        async let written = client.write("INSERT INTO kept VALUES (1)")
        async let read: Int? = client.readFirst("SELECT 3")
        try await cluster.start()
        #expect(try await written == 1)
        #expect(try await read == 3)
        #expect(try await reading.value == 4)
        #expect(await heard.next() == .reconnected)
        client.notify("a")
        #expect(await heard.next() == .received(channel: "a", payload: ""))
        #expect(try await client.read("SELECT id FROM kept", as: Int.self) == [1])
        try await eventually("the impatient one is back too") { await impatient.ping() }
    }
}
