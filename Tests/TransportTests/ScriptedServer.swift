import Foundation
import Synchronization
import TestSupport

/// A TCP server on 127.0.0.1 whose every connection runs a script on a thread of its own: raw sockets, so that a test decides each byte.
final class ScriptedServer: Sendable {
    private let accepted = Mutex<[Peer]>([])
    private let listener = Mutex<LoopbackListener?>(nil)

    /// - script: called for each connection in turn with its number from 0; the connection is closed when it returns.
    init(_ script: @escaping @Sendable (Peer, Int) -> Void) throws {
        let listener = try LoopbackListener { [self] descriptor in
            let peer = Peer(descriptor)
            let number = self.accepted.withLock { accepted in
                accepted.append(peer)
                return accepted.count - 1
            }
            Thread.detachNewThread {
                script(peer, number)
                peer.close()
            }
        }
        self.listener.withLock { $0 = listener }
    }

    var port: UInt16 { self.listener.withLock { $0?.port ?? 0 } }

    /// Connections taken so far.
    var connections: Int { self.accepted.withLock { $0.count } }

    /// Closes every connection and takes no more.
    func stop() {
        self.listener.withLock { $0?.stop() }
        for peer in self.accepted.withLock({ $0 }) { peer.cut() }
    }

    var url: String { "http://127.0.0.1:\(self.port)" }
}

/// The server's end of a connection.
final class Peer: Sendable {
    struct Request {
        var line: String
        var headers: [String: String]
        var body: [UInt8]
    }

    private let descriptor: Int32
    private let isClosed = Mutex(false)
    private let buffer = Mutex<[UInt8]>([])

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var isOn: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }

    /// nil at the end.
    func readLine() -> String? {
        while true {
            let line: String? = self.buffer.withLock { buffer in
                guard let end = buffer.firstIndex(of: 0x0a) else { return nil }
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                return line.hasSuffix("\r") ? String(line.dropLast()) : line
            }
            if let line { return line }
            guard self.fill() else { return nil }
        }
    }

    func read(_ count: Int) -> [UInt8]? {
        while self.buffer.withLock({ $0.count }) < count {
            guard self.fill() else { return nil }
        }
        return self.buffer.withLock { buffer in
            defer { buffer.removeFirst(count) }
            return [UInt8](buffer[..<count])
        }
    }

    /// Waits until the other side closes, reading whatever comes.
    func readToEnd() {
        while self.fill() { self.buffer.withLock { $0.removeAll() } }
    }

    private func fill() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(self.descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return false }
        self.buffer.withLock { $0 += bytes[..<count] }
        return true
    }

    /// False when the other side has gone.
    @discardableResult
    func write(_ text: String) -> Bool { self.write(Array(text.utf8)) }

    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(self.descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// nil when the connection ended first.
    func readHead() -> Request? {
        guard let line = self.readLine() else { return nil }
        var headers: [String: String] = [:]
        while let header = self.readLine() {
            if header.isEmpty { return Request(line: line, headers: headers, body: []) }
            guard let colon = header.firstIndex(of: ":") else { continue }
            let value = header[header.index(after: colon)...].drop { $0 == " " }
            headers[header[..<colon].lowercased()] = String(value)
        }
        return nil
    }

    /// Head and body, by Content-Length or chunks.
    func readRequest() -> Request? {
        guard var request = self.readHead() else { return nil }
        if request.headers["transfer-encoding"] == "chunked" {
            while let size = self.readLine().flatMap({ Int($0, radix: 16) }) {
                guard let chunk = self.read(size), self.readLine() != nil else { return nil }
                if size == 0 { return request }
                request.body += chunk
            }
            return nil
        }
        guard let body = self.read(request.headers["content-length"].flatMap { Int($0) } ?? 0) else { return nil }
        request.body = body
        return request
    }

    func respond(_ status: String = "200 OK", headers: String = "", body: String = "") {
        self.write("HTTP/1.1 \(status)\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// An abrupt end: RST where the system allows.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        self.close()
    }

    /// Ends both directions; the script's own reads and writes then fail.
    func cut() {
        self.isClosed.withLock { isClosed in
            if !isClosed { shutdown(self.descriptor, Int32(SHUT_RDWR)) }
        }
    }

    func close() {
        self.isClosed.withLock { isClosed in
            if !isClosed { Glibc.close(self.descriptor) }
            isClosed = true
        }
    }
}

/// Something to wait for without sleeping.
final class Signal: Sendable {
    private let semaphore = Mutex<(isSet: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))
    private let condition = DispatchSemaphore(value: 0)

    func set() {
        let waiters = self.semaphore.withLock { state in
            state.isSet = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
        self.condition.signal()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isSet = self.semaphore.withLock { state in
                if !state.isSet { state.waiters.append(continuation) }
                return state.isSet
            }
            if isSet { continuation.resume() }
        }
    }

    /// For a script's thread.
    func block() {
        self.condition.wait()
        self.condition.signal()
    }
}
