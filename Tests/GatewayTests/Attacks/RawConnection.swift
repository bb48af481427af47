import Foundation
import Glibc
import TestSupport

/// A TCP connection on which a test sends what it likes, when it likes, from the loopback address that it likes. Nothing here waits on a thread of
/// the cooperative pool.
final class RawConnection: Sendable {
    private let descriptor: Int32

    /// - source: an address of 127.0.0.0/8.
    /// - receiveBuffer: bytes that the kernel takes before they are read; nil for its own choice.
    init(_ door: TestDoor, from source: String = "127.0.0.1", receiveBuffer: Int32? = nil) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("no socket: errno \(errno)") }
        if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size)) }
        self.descriptor = descriptor
        let isBound = Self.with(source, 0) { bind(descriptor, $0, $1) }
        let isConnected = isBound == 0 ? Self.with("127.0.0.1", door.port) { connect(descriptor, $0, $1) } : -1
        guard isConnected == 0 else { throw TestFailure("no connection from \(source): errno \(errno)") }
    }

    deinit { close(self.descriptor) }

    private static func with(_ host: String, _ port: Int, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    /// - Returns: false where the other side has closed.
    @discardableResult
    func send(_ text: String) -> Bool { self.send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        Glibc.send(self.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) == bytes.count
    }

    /// The other side has ended the connection, whatever waits to be read.
    var isCut: Bool {
        // POLLRDHUP of Linux's poll.h, which is there for GNU sources only.
        let hungUp: Int16 = 0x2000
        var state = pollfd(fd: self.descriptor, events: hungUp, revents: 0)
        return poll(&state, 1, 0) > 0 && state.revents & (hungUp | Int16(POLLHUP | POLLERR)) != 0
    }

    /// The other side reads an end; it may still answer.
    func finishSending() { shutdown(self.descriptor, Int32(SHUT_WR)) }

    struct Received: Sendable {
        var text: String
        /// The other side ended the connection.
        var isClosed: Bool

        /// Statuses of all answers, one after the other.
        var statuses: [Int] { self.text.matches(of: #/HTTP/1\.[01] (\d{3}) /#).compactMap { Int($0.1) } }
    }

    /// Everything until the other side closes, until so many answers have begun, or until so much time has passed.
    func receive(_ answers: Int = .max, within limit: Duration = .seconds(10)) async -> Received {
        let deadline = ContinuousClock.now + limit
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while ContinuousClock.now < deadline {
            let count = recv(self.descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                bytes += chunk[..<count]
                let received = Received(text: String(decoding: bytes, as: UTF8.self), isClosed: false)
                if answers < .max, received.statuses.count >= answers { return received }
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                return Received(text: String(decoding: bytes, as: UTF8.self), isClosed: true)
            } else {
                // A pause between two looks, not a wait for anything in particular.
                try? await Task.sleep(for: .milliseconds(5))
            }
        }
        return Received(text: String(decoding: bytes, as: UTF8.self), isClosed: false)
    }
}
