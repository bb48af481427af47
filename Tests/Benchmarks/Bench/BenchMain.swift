import Foundation
import Glibc

/// The house's own layers beside their peers: `Bench DATABASE_URL HTTP_URL SCRATCH_FOLDER [encryption|database|transport]`, called by run.sh.
/// Prints every figure as it comes and a table of the aims at the end. A missed aim is printed, not an error: machines differ.
@main struct BenchMain {
    static func main() async throws {
        // libpq's and libcurl's sockets are not NIO's: a peer that hangs up must not end the process.
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard (3...4).contains(arguments.count) else {
            FileHandle.standardError.write(Data("usage: Bench DATABASE_URL HTTP_URL SCRATCH_FOLDER [encryption|database|transport]\n".utf8))
            exit(64)
        }
        let parts = arguments.count == 4 ? [arguments[3]] : ["encryption", "database", "transport"]
        var report = Report()
        if parts.contains("encryption") {
            for contest in try EncryptionBench.contests() { try await report.hold(contest) }
        }
        if parts.contains("database") {
            try await DatabaseBench.run(url: arguments[0], scratch: arguments[2], report: &report)
        }
        if parts.contains("transport") {
            try await TransportBench.run(url: arguments[1], report: &report)
        }
        Report.show(report.summary)
    }
}
