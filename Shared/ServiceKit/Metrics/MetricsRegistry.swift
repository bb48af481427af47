package import CoreMetrics
import Synchronization

/// The process's metrics in memory, written as Prometheus text by ``text()``. Keep labels few: route template, method, status class, peer,
/// loop; never ids or URLs.
package final class MetricsRegistry: MetricsFactory {
    /// Seconds; a call between 1 ms and 30 s is told apart.
    static let secondBuckets: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
    /// Counts and sizes.
    static let valueBuckets: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000, 1_000_000]

    /// One value read when the metrics are asked for.
    package struct Sample: Sendable {
        package enum Kind: String, Sendable { case counter, gauge }
        package var name: String
        package var kind: Kind
        package var labels: [(String, String)]
        package var value: Double

        package init(_ name: String, _ kind: Kind, labels: [(String, String)] = [], value: Double) {
            self.name = name
            self.kind = kind
            self.labels = labels
            self.value = value
        }
    }

    struct Key: Hashable {
        var name: String
        /// As written: `{a="b"}`, or empty.
        var labels: String
    }

    /// As it is asked for: the way to a series that is known already, without writing its labels anew.
    private struct Asked: Hashable {
        var label: String
        var dimensions: [String]
    }

    /// Series asked for under so many spellings are found the short way.
    private static let knownSpellings = 10_000

    private struct State {
        var known: [Asked: MetricSeries] = [:]
        var series: [Key: MetricSeries] = [:]
        var collectors: [@Sendable () -> [Sample]] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Adds values that are read only when asked for: pools, the process itself.
    package func collect(_ collector: @escaping @Sendable () -> [Sample]) {
        self.state.withLock { $0.collectors.append(collector) }
    }

    var everything: (series: [Key: MetricSeries], samples: [Sample]) {
        let (series, collectors) = self.state.withLock { ($0.series, $0.collectors) }
        return (series, collectors.flatMap { $0() })
    }

    private func series(_ label: String, _ ending: String, _ dimensions: [(String, String)], _ kind: MetricSeries.Kind) -> MetricSeries {
        let asked = Asked(label: label, dimensions: dimensions.flatMap { [$0.0, $0.1] })
        if let known = self.state.withLock({ $0.known[asked] }) { return known }
        let name = label.hasSuffix(ending) ? label : label + ending
        let key = Key(name: MetricsText.name(name), labels: MetricsText.labels(dimensions))
        return self.state.withLock { state in
            let series = state.series[key] ?? MetricSeries(kind)
            state.series[key] = series
            if state.known.count < Self.knownSpellings { state.known[asked] = series }
            return series
        }
    }

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.series(label, "_total", dimensions, .counter)
    }

    package func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        self.series(label, "_total", dimensions, .counter)
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.series(label, "", dimensions, .gauge)
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        self.series(label, "", dimensions, aggregate ? .histogram(Self.valueBuckets) : .gauge)
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.series(label, "_seconds", dimensions, .histogram(Self.secondBuckets))
    }

    // Series live as long as the process: a scrape that misses one would read as a reset.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
}

/// One time series under one set of labels.
final class MetricSeries: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    enum Kind: Sendable, Equatable { case counter, gauge, histogram([Double]) }

    struct Values: Sendable {
        /// The counter or gauge; a histogram's sum.
        var value = 0.0
        var count: UInt64 = 0
        /// Observations per bucket, not yet cumulative; one more than there are bounds.
        var buckets: [UInt64] = []
    }

    let kind: Kind
    private let values: Mutex<Values>

    init(_ kind: Kind) {
        self.kind = kind
        var values = Values()
        if case .histogram(let bounds) = kind { values.buckets = Array(repeating: 0, count: bounds.count + 1) }
        self.values = Mutex(values)
    }

    var snapshot: Values { self.values.withLock { $0 } }

    func increment(by amount: Int64) { self.values.withLock { $0.value += Double(amount) } }
    func increment(by amount: Double) { self.values.withLock { $0.value += amount } }
    func decrement(by amount: Double) { self.values.withLock { $0.value -= amount } }
    func reset() { self.values.withLock { $0.value = 0 } }
    func set(_ value: Int64) { self.values.withLock { $0.value = Double(value) } }
    func set(_ value: Double) { self.values.withLock { $0.value = value } }
    func record(_ value: Int64) { self.record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1_000_000_000) }

    func record(_ value: Double) {
        guard case .histogram(let bounds) = self.kind else { return self.set(value) }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        self.values.withLock { values in
            values.buckets[bucket] += 1
            values.count += 1
            values.value += value
        }
    }
}
