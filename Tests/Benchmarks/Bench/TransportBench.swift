import HTTPTypes
import Logging
import Transport

/// Small GETs to a local nginx.
enum TransportBench {
    static func run(url: String, report: inout Report) async throws {
        let client = HTTPClient(.inside(), logger: Logger(label: "bench"))
        let peer = HTTPPeer()
        for callers in [64, 512] { try await report.hold(self.contest(url, callers: callers, client, peer)) }
        await client.shutdown(within: .seconds(2))
        try await peer.shutdown()
    }

    private static func contest(_ url: String, callers: Int, _ client: HTTPClient, _ peer: HTTPPeer) -> Contest {
        Contest(
            title: "HTTP requests, \(callers) callers",
            aim: 1.3,
            contestants: [
                .init("HTTPClient.send", .ours) {
                    try await Throughput.concurrent(callers: callers) { _ in
                        let response = try await client.send(HTTPClientRequest(.get, url))
                        guard response.head.status == .ok else { throw Tool.Failure(description: "nginx answered \(response.head.status)") }
                        _ = try await response.collect(upTo: 1024)
                    }
                },
                .init("AsyncHTTPClient, its defaults", .rival) { try await peer.measure(url, callers: callers, isWide: false) },
                .init("AsyncHTTPClient, \(callers) connections", .rival) { try await peer.measure(url, callers: callers, isWide: true) },
                .init("wrk -t2 -c\(callers)", .reference) {
                    try Tool.number(after: "Requests/sec:", in: Tool.run("wrk", ["-t2", "-c\(callers)", "-d3s", url]))
                },
            ]
        )
    }
}
