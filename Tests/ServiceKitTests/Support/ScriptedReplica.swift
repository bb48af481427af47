import Glibc
import Synchronization
import TestSupport

/// A replica that says on each request what its script says, byte for byte.
final class ScriptedReplica: Sendable {
    enum Step: Sendable {
        case say(String)
        /// Says it, then closes.
        case sayLast(String)
        /// Says it, then breaks off without a proper end.
        case sayAndReset(String)
        case close
        case keepSilent
    }

    static let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    /// Requests so far, of all connections.
    let requests = LockedCount()
    let connections = LockedCount()
    let ended = LockedCount()
    private let listener = Mutex<LoopbackListener?>(nil)

    /// - script: told which request it is, of all; from 1.
    init(_ script: @escaping @Sendable (Int) -> Step) throws {
        let (requests, connections, ended) = (self.requests, self.connections, self.ended)
        let listener = try LoopbackListener { descriptor in
            connections.add()
            Self.serve(descriptor, requests, script)
            ended.add()
        }
        self.listener.withLock { $0 = listener }
    }

    deinit { self.listener.withLock { $0?.stop() } }

    var url: String { "http://127.0.0.1:\(self.listener.withLock { $0?.port } ?? 0)" }

    /// One connection after another: more are not needed.
    private static func serve(_ descriptor: Int32, _ requests: LockedCount, _ script: (Int) -> Step) {
        defer { close(descriptor) }
        var received: [UInt8] = []
        while self.receive(descriptor, &received) {
            guard received.suffix(4) == Array("\r\n\r\n".utf8)[...] else { continue }
            received.removeAll()
            switch script(requests.add()) {
            case .say(let text): self.send(text, descriptor)
            case .sayLast(let text): return self.send(text, descriptor)
            case .sayAndReset(let text):
                self.send(text, descriptor)
                // So that what was said has been read before.
                usleep(100_000)
                return self.reset(descriptor)
            case .close: return
            case .keepSilent: break
            }
        }
    }

    private static func receive(_ descriptor: Int32, _ received: inout [UInt8]) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return false }
        received += bytes.prefix(count)
        return true
    }

    /// The socket's end becomes a RST (socket(7), SO_LINGER).
    private static func reset(_ descriptor: Int32) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }

    private static func send(_ text: String, _ descriptor: Int32) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
