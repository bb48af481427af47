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

/// A TCP port of loopback that was free a moment ago.
package func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw TestFailure("no socket") }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
        }
    }
    guard status else { throw TestFailure("no free port") }
    return UInt16(bigEndian: address.sin_port)
}
