import Database
import Foundation
import Glibc
import HTTPTypes
import Models
import Synchronization
import TestSupport
import Testing

@testable import Webhooks

/// Targets that mean to reach what only the house may reach. What a URL's form gives away is refused when somebody subscribes; a name is vetted
/// by the address that it has at each delivery.
@Suite struct HostileTargetTests {
    /// Refused at creation. `PORT` is that of a listener of the test.
    static let refusedURLs = [
        // Literal addresses: this machine, its networks, metadata services.
        "https://127.0.0.1:PORT/", "https://127.8.9.10:PORT/", "https://0.0.0.0:PORT/", "https://10.0.0.1/", "https://172.16.0.1/",
        "https://172.31.255.255/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/",
        "https://168.63.129.16/", "https://198.18.0.1/", "https://192.0.2.1/", "https://224.0.0.1/", "https://255.255.255.255/",
        "https://240.0.0.1/",
        // The same in the spellings that resolvers take.
        "https://127.1:PORT/", "https://127.0.1:PORT/", "https://2130706433:PORT/", "https://0x7f000001:PORT/", "https://0x7f.0.0.1:PORT/",
        "https://0X7F.1:PORT/", "https://0177.0.0.1:PORT/", "https://017700000001:PORT/", "https://0:PORT/", "https://127.0.0.1.:PORT/",
        "https://2852039166/", "https://0xa9fea9fe/", "https://0251.0376.0251.0376/", "https://169.254.43518/", "https://3232235777/",
        // IPv6, and IPv4 inside it.
        "https://[::1]:PORT/", "https://[::]:PORT/", "https://[0:0:0:0:0:0:0:1]:PORT/", "https://[::ffff:127.0.0.1]:PORT/",
        "https://[::ffff:7f00:1]:PORT/", "https://[::127.0.0.1]:PORT/", "https://[64:ff9b::7f00:1]:PORT/", "https://[64:ff9b:1::a00:1]/",
        "https://[2002:7f00:1::]:PORT/", "https://[2001:0:7f00:1::]/", "https://[fd00:ec2::254]/", "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/", "https://[fc00::1]/", "https://[fec0::1]/", "https://[ff02::1]/", "https://[2001:db8::1]/",
        "https://[100::1]/", "https://[5f00::1]/", "https://[4000::1]/",
        // Names of this machine and its neighbours.
        "https://localhost:PORT/", "https://LOCALHOST:PORT/", "https://localhost.:PORT/", "https://a.localhost:PORT/",
        "https://postgres:5432/",
        "https://gateway:8080/",
        // Tricks of form: user info, escapes, other characters, other schemes.
        "https://example.com@127.0.0.1:PORT/", "https://example.com:pw@127.0.0.1:PORT/", "https://example.com\\@127.0.0.1:PORT/",
        "https://%31%32%37.0.0.1:PORT/", "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1:PORT/", "https://127。0。0。1:PORT/",
        "https://①②⑦.0.0.1:PORT/", "https://127.0.0.1:PORT#@example.com/", "https://127.0.0.1:PORT\\.example.com/",
        "https://example.com/\r\nHost: 127.0.0.1", "http://127.0.0.1:PORT/", "ftp://127.0.0.1:PORT/", "file:///etc/passwd",
        "gopher://127.0.0.1:PORT/_x", "dict://127.0.0.1:PORT/", "//127.0.0.1:PORT/",
    ]

    /// Taken at creation, as every public name is; by hexadecimal digits the address that each has at its delivery. The test's own resolver
    /// (Tests/Names) gives a name with two of them one after the other.
    static let refusedNames = [
        "7f000001", "7f010203", "00000000", "0a000001", "ac100001", "c0a80101", "a9fea9fe", "64400001", "a83f8110",
        "00000000000000000000000000000001", "00000000000000000000ffff7f000001", "0064ff9b00000000000000007f000001",
        "20027f00000100000000000000000000", "fd000ec2000000000000000000000254", "fe800000000000000000000000000001",
    ]

    private static func problem(of reply: Reply) -> String? {
        reply.json["errors"]?.arrayValue?.first { $0["pointer"] == "/webhook_url" }?["detail"]?.stringValue
    }

    @Test func noHostileURLIsTakenAndTheAnswerSaysWhy() async throws {
        let listener = try Forbidden()
        defer { listener.stop() }
        #expect(Self.refusedURLs.count >= 60)
        try await Fixture.running(.init(allow: "")) { fixture in
            for text in Self.refusedURLs {
                let url = text.replacing("PORT", with: String(listener.port))
                let reply = try await fixture.call(
                    .post,
                    "/api/v1/zapier/webhooks",
                    ["webhook_url": .string(url), "trigger_event": "campaign_sent"]
                )
                let reason = Self.problem(of: reply)
                #expect(reply.status == 422 && reason?.isEmpty == false, "\(url): \(reply.status)")
                print("refused when subscribing | \(text) | \(reason ?? "")")
            }
            #expect(try await fixture.count("SELECT count(*) AS n FROM zapier_webhooks") == 0)
        }
        #expect(listener.connections == 0)
    }

    @Test func aNameThatLeadsInsideIsRefusedAtTheDeliveryAndTheAttemptSaysWhy() async throws {
        let listener = try Forbidden()
        defer { listener.stop() }
        try await Fixture.running(.init(schedule: "0", timeout: .seconds(5), allow: "")) { fixture in
            for digits in Self.refusedNames { try await fixture.subscribe("https://\(digits).names.test:\(listener.port)/") }
            try await fixture.bring([.make()])
            try await fixture.delivering {
                try await eventually("all are dead", within: .seconds(60)) {
                    try await fixture.count("SELECT count(*) AS n FROM settled_deliveries") == Self.refusedNames.count
                }
            }
            let list = try await fixture.call(.get, "/api/v1/webhooks/deliveries?state=dead&limit=200")
            for delivery in list.json["data"]?.arrayValue ?? [] {
                let id = delivery["id"]?.integerValue ?? 0
                let shown = try await fixture.call(.get, "/api/v1/webhooks/deliveries/\(id)").json
                let excerpt = shown["attempts"]?.arrayValue?.first?["response_excerpt"]?.stringValue ?? ""
                #expect(shown["last_error"] == "refused_address" && !excerpt.isEmpty, "\(shown.text)")
                print("refused at the delivery | \(shown["last_error"]?.stringValue ?? "") | \(excerpt)")
            }
        }
        #expect(listener.connections == 0)
    }

    /// Public at one look-up and inside at the next: what counts is the address that the socket goes to. Each round has a client of its own,
    /// for a client keeps what it looked up for a minute.
    @Test func aNameThatChangesBetweenLookUpsNeverLeadsInside() async throws {
        let listener = try Forbidden()
        defer { listener.stop() }
        let names = ["08080808-7f000001", "7f000001-08080808", "08080808-a9fea9fe", "08080404-00000000000000000000000000000001"]
        var refused = 0
        for _ in 0..<2 {
            refused += try await Fixture.running(.init(schedule: "0,0.05", timeout: .milliseconds(500), allow: "")) { fixture in
                for digits in names { try await fixture.subscribe("https://\(digits).names.test:\(listener.port)/") }
                try await fixture.bring([.make()])
                try await fixture.delivering {
                    try await eventually("all are dead", within: .seconds(60)) {
                        try await fixture.database.runtime.write("UPDATE endpoint_states SET not_before = now()")
                        return try await fixture.count("SELECT count(*) AS n FROM settled_deliveries") == names.count
                    }
                }
                return try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE last_error = 'refused_address'")
            }
        }
        #expect(refused == names.count)
        #expect(listener.connections == 0)
    }

    @Test(arguments: ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:PORT/inside", "//127.0.0.1:PORT/inside"])
    func aRedirectInsideIsAnAnswerLikeAnyOther(_ location: String) async throws {
        let listener = try Forbidden()
        defer { listener.stop() }
        try await Target.running { target in
            try await Fixture.running(.init(schedule: "0")) { fixture in
                for (status, path) in [(301, "/a"), (302, "/b"), (303, "/c"), (307, "/d"), (308, "/e")] {
                    target.append(.status(status, headers: ["Location": location.replacing("PORT", with: String(listener.port))]), to: path)
                    try await fixture.subscribe(target.url(path))
                }
                try await fixture.bring([.make()])
                try await fixture.delivering {
                    try await eventually("all are dead") {
                        try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE last_error LIKE 'http_30_'") == 5
                    }
                }
                #expect(target.deliveries.count == 5)
            }
        }
        #expect(listener.connections == 0)
    }
}

/// A listener that nobody should reach; it counts who does.
private final class Forbidden: Sendable {
    private let count = Atomic<Int>(0)
    private let listener = Mutex<LoopbackListener?>(nil)

    var connections: Int { self.count.load(ordering: .relaxed) }
    var port: UInt16 { self.listener.withLock { $0?.port ?? 0 } }

    init() throws {
        let listener = try LoopbackListener { [self] connection in
            self.count.wrappingAdd(1, ordering: .relaxed)
            close(connection)
        }
        self.listener.withLock { $0 = listener }
    }

    func stop() { self.listener.withLock { $0?.stop() } }
}
