import Foundation
import Glibc
import Synchronization

/// A listening TCP socket of loopback on a free port; a thread of its own hands on each connection, which its taker closes.
package final class LoopbackListener: Sendable {
    package let port: UInt16
    private let descriptor: Int32
    private let isOver = Mutex(false)

    package init(taken: @escaping @Sendable (Int32) -> Void) throws {
        let (descriptor, port) = try bindLoopback()
        guard listen(descriptor, 1024) == 0 else {
            close(descriptor)
            throw TestFailure("no listening socket")
        }
        self.descriptor = descriptor
        self.port = port
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection >= 0 { taken(connection) } else if errno != EINTR, errno != ECONNABORTED { break }
            }
            self.isOver.withLock { isOver in
                isOver = true
                close(descriptor)
            }
        }
    }

    /// Takes no more. The accepting thread closes the socket: closed here, its number might be another's when that thread calls accept again.
    package func stop() {
        self.isOver.withLock { isOver in
            if !isOver { shutdown(self.descriptor, Int32(SHUT_RDWR)) }
        }
    }
}

/// A TCP socket bound to a free port of loopback.
package func bindLoopback() throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw TestFailure("no socket") }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
        }
    }
    guard isBound else {
        close(descriptor)
        throw TestFailure("no free port")
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
}

/// A TCP port of loopback that was free a moment ago.
package func freePort() throws -> UInt16 {
    let (descriptor, port) = try bindLoopback()
    close(descriptor)
    return port
}
