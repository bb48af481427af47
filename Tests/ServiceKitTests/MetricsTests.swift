import CoreMetrics
import ServiceKit
import Testing

@Suite struct MetricsTests {
    @Test func histogramBucketsAreCumulative() throws {
        let registry = MetricsRegistry()
        let timer = registry.makeTimer(label: "http_request_duration", dimensions: [("route", "/a"), ("method", "GET")])
        for milliseconds in [1, 3, 3, 40, 60_000] { timer.recordNanoseconds(Int64(milliseconds) * 1_000_000) }
        let lines = registry.text().split(separator: "\n")
        #expect(lines.first == "# TYPE http_request_duration_seconds histogram")
        let counts = lines.filter { $0.contains("_bucket") }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        #expect(counts == counts.sorted())
        #expect(counts.first == 1)
        #expect(counts.last == 5)
        #expect(lines.contains(#"http_request_duration_seconds_bucket{method="GET",route="/a",le="0.005"} 3"#))
        #expect(lines.contains(#"http_request_duration_seconds_bucket{method="GET",route="/a",le="30"} 4"#))
        #expect(lines.contains(#"http_request_duration_seconds_bucket{method="GET",route="/a",le="+Inf"} 5"#))
        #expect(lines.contains(#"http_request_duration_seconds_count{method="GET",route="/a"} 5"#))
    }

    @Test func countersGaugesAndCollectorsAreWritten() {
        let registry = MetricsRegistry()
        let counter = registry.makeCounter(label: "work.items", dimensions: [("loop", "a\"b\\c\nd")])
        counter.increment(by: 2)
        registry.makeCounter(label: "work.items", dimensions: [("loop", "a\"b\\c\nd")]).increment(by: 1)
        registry.makeMeter(label: "in_hand", dimensions: []).set(2.5)
        registry.collect { [.init("process_open_fds", .gauge, value: 12)] }
        let text = registry.text()
        #expect(text.contains("# TYPE work_items_total counter\n"))
        #expect(text.contains(#"work_items_total{loop="a\"b\\c\nd"} 3"#))
        #expect(text.contains("# TYPE in_hand gauge\nin_hand 2.5\n"))
        #expect(text.contains("process_open_fds 12\n"))
    }
}
