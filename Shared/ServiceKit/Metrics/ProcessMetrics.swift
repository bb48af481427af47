import Foundation

/// Memory, open files and start of this process, under the names that Prometheus client libraries use.
struct ProcessMetrics: Sendable {
    private let started = Date().timeIntervalSince1970

    func samples() -> [MetricsRegistry.Sample] {
        var samples = [MetricsRegistry.Sample("process_start_time_seconds", .gauge, value: self.started)]
        if let bytes = Self.residentBytes() {
            samples.append(MetricsRegistry.Sample("process_resident_memory_bytes", .gauge, value: bytes))
        }
        if let files = Self.openFiles() {
            samples.append(MetricsRegistry.Sample("process_open_fds", .gauge, value: files))
        }
        return samples
    }

    /// Second field of /proc/self/statm, in pages (proc(5)); nil where there is no such file.
    private static func residentBytes() -> Double? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
        else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func openFiles() -> Double? {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")).map { Double($0.count) }
    }
}
