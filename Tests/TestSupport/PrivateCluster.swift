import Foundation
import Glibc
package import Models

/// A Postgres cluster of one test's own, which it may stop and start (`compose/local/postgres.sh`).
package struct PrivateCluster: Sendable {
    package let url: Secret
    private let directory: URL
    private let port: UInt16

    /// - Throws: ``TestFailure`` when the server does not come up.
    package static func start() async throws -> PrivateCluster {
        let directory = URL(fileURLWithPath: "/var/tmp/switchboard-cluster-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        let cluster = try PrivateCluster(directory: directory, port: freePort())
        try await cluster.start()
        return cluster
    }

    private init(directory: URL, port: UInt16) {
        self.directory = directory
        self.port = port
        self.url = Secret("postgres://postgres@127.0.0.1:\(port)/postgres")
    }

    package func start() async throws { try await self.run(["start", self.directory.path, String(self.port)]) }

    /// - Parameter mode: `fast`, or `immediate`, which is a crash.
    package func stop(_ mode: String) async throws { try await self.run(["stop", self.directory.path, mode]) }

    package func remove() async throws {
        let location = (try? String(contentsOf: self.directory.appending(path: "location"), encoding: .utf8)) ?? ""
        try await self.stop("immediate")
        try? FileManager.default.removeItem(at: self.directory)
        let place = location.trimmingCharacters(in: .whitespacesAndNewlines)
        if place.hasPrefix("/var/tmp/switchboard-") { try? FileManager.default.removeItem(atPath: place) }
    }

    private func run(_ arguments: [String]) async throws {
        try await Command.run([TestCluster.repository.appending(path: "compose/local/postgres.sh").path] + arguments)
    }
}
