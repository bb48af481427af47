/// Prometheus text exposition format 0.0.4.
enum MetricsText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// `a-zA-Z0-9_:`, not beginning with a digit.
    static func name(_ name: String) -> String {
        var clean = String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" })
        if clean.first?.isNumber ?? true { clean = "_" + clean }
        return clean
    }

    static func labels(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        let written = labels.sorted { $0.0 < $1.0 }.map { "\(self.name($0.0))=\"\(self.escaped($0.1))\"" }
        return "{\(written.joined(separator: ","))}"
    }

    static func number(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
        return result
    }
}

extension MetricsRegistry {
    /// All metrics, sorted by name so that two readings can be compared.
    package func text() -> String {
        let (series, samples) = self.everything
        var families: [String: (kind: String, lines: [String])] = [:]
        for (key, series) in series.sorted(by: { ($0.key.name, $0.key.labels) < ($1.key.name, $1.key.labels) }) {
            families[key.name, default: (series.kind.word, [])].lines += Self.lines(key, series)
        }
        for sample in samples {
            let name = MetricsText.name(sample.name)
            let line = "\(name)\(MetricsText.labels(sample.labels)) \(MetricsText.number(sample.value))"
            families[name, default: (sample.kind.rawValue, [])].lines.append(line)
        }
        return families.sorted { $0.key < $1.key }
            .map { "# TYPE \($0.key) \($0.value.kind)\n" + $0.value.lines.joined(separator: "\n") + "\n" }
            .joined()
    }

    private static func lines(_ key: Key, _ series: MetricSeries) -> [String] {
        let values = series.snapshot
        guard case .histogram(let bounds) = series.kind else {
            return ["\(key.name)\(key.labels) \(MetricsText.number(values.value))"]
        }
        var lines: [String] = []
        var cumulative: UInt64 = 0
        for (bound, count) in zip(bounds + [.infinity], values.buckets) {
            cumulative += count
            let limit = "le=\"\(MetricsText.number(bound))\""
            let labels = key.labels.isEmpty ? "{\(limit)}" : key.labels.dropLast() + ",\(limit)}"
            lines.append("\(key.name)_bucket\(labels) \(cumulative)")
        }
        lines.append("\(key.name)_sum\(key.labels) \(MetricsText.number(values.value))")
        lines.append("\(key.name)_count\(key.labels) \(values.count)")
        return lines
    }
}

extension MetricSeries.Kind {
    fileprivate var word: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }
}
