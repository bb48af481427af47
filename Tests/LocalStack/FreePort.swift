#if canImport(Glibc)
import Glibc
#endif

package enum FreePort {
    /// A loopback TCP port that nothing listens on now, below the range that the kernel hands out for outgoing connections.
    package static func take() -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: 18_000..<32_000)
            if isFree(port) { return port }
        }
        preconditionFailure("no free port between 18000 and 32000")
    }

    package static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 }
        }
    }
}
