import Database
import Foundation
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

@Suite struct RetentionTests {
    @Test func daysOlderThanWhatIsKeptGoAndYoungerOnesStay() async throws {
        try await Fixture.running { fixture in
            for day in [31, 30] {
                let name = Self.name(of: day)
                let (begins, ends) = ("\(Self.start(of: day))", "\(Self.start(of: day - 1))")
                try await fixture.database.owner.write(
                    "SELECT make_partition('settled_deliveries', \("settled_deliveries_\(name)"), 'settled_at', \(begins), \(ends))"
                )
            }
            let before = try await fixture.count("SELECT count(*) AS n FROM pg_inherits WHERE inhparent = 'settled_deliveries'::regclass")
            #expect(try await fixture.parts.partitions.dropOld() == 1)
            #expect(
                try await fixture.count("SELECT count(*) AS n FROM pg_inherits WHERE inhparent = 'settled_deliveries'::regclass") == before
                    - 1
            )
            #expect(try await fixture.parts.partitions.dropOld() == 0)
        }
    }

    @Test func whatLiesInNoDayGoesWhenItIsOld() async throws {
        try await Fixture.running { fixture in
            try await fixture.bring([
                .make(id: "evt_" + String(repeating: "0", count: 32)), .make(id: "evt_" + String(repeating: "0", count: 31) + "1"),
            ])
            try await fixture.database.runtime.write(
                "UPDATE events SET received_at = now() - interval '31 days' WHERE id = \("evt_" + String(repeating: "0", count: 32))"
            )
            try await fixture.parts.partitions.dropOld()
            #expect(try await fixture.count("SELECT count(*) AS n FROM events") == 1)
        }
    }

    @Test func aDeliveryWhoseEventIsGoneIsDead() async throws {
        try await Fixture.running { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/")
            try await fixture.bring([.make()])
            try await fixture.database.runtime.write("DELETE FROM events")
            try await fixture.delivering {
                try await eventually("it is dead") {
                    try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE last_error = 'event_expired'") == 1
                }
            }
        }
    }

    private static func start(of daysAgo: Int) -> String {
        String(Timestamp.format(Date().addingTimeInterval(-86_400 * Double(daysAgo))).prefix(10)) + " 00:00:00+00"
    }

    private static func name(of daysAgo: Int) -> String {
        String(self.start(of: daysAgo).prefix(10)).replacing("-", with: "")
    }
}
