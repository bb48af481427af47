import Foundation
import TestSupport

/// Threads of this process with that name.
func threads(named name: String) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count { thread in
        (try? String(contentsOfFile: "/proc/self/task/\(thread)/comm", encoding: .utf8))?.hasPrefix(name) == true
    }
}

/// A listening socket whose backlog is full, so that no further connection is ever answered.
final class BlackHole {
    private var sockets: [Int32] = []
    private var port: UInt16 = 0
    var url: String { "http://127.0.0.1:\(self.port)/" }

    init() throws {
        let (listener, port) = try bindLoopback()
        self.sockets.append(listener)
        self.port = port
        guard listen(listener, 0) == 0 else { throw POSIXError(.EADDRINUSE) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        for _ in 0..<8 {
            let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            self.sockets.append(filler)
            _ = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(filler, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
        }
    }

    func close() {
        for descriptor in self.sockets { Glibc.close(descriptor) }
    }
}
