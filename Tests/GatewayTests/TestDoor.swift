import Dispatch
import Foundation
import HTTPTypes
import LocalStack
import Models
import ServiceKit
import TestSupport

/// An HTTP/1.1 exchange as bytes on a socket: what clients and libraries would tidy up arrives as it is written here.
struct TestDoor: Sendable {
    let port: Int

    struct Answer: Sendable {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: [UInt8]

        func header(_ name: String) -> String? { self.headers.first { $0.name.lowercased() == name.lowercased() }?.value }
        var text: String { String(decoding: self.body, as: UTF8.self) }
        var json: JSONValue { (try? JSONValue(parsing: self.body)) ?? .null }
    }

    func send(
        _ method: String,
        _ target: String,
        headers: [(String, String)] = [],
        body: JSONValue? = nil
    ) async throws -> Answer {
        var headers = headers
        if body != nil { headers.append(("Content-Type", "application/json")) }
        return try await self.send(method, target, headers: headers, bytes: body?.serialized() ?? [])
    }

    func send(_ method: String, _ target: String, headers: [(String, String)], bytes: [UInt8]) async throws -> Answer {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if !bytes.isEmpty { text += "Content-Length: \(bytes.count)\r\n" }
        let answer = try await self.exchange(Array((text + "\r\n").utf8) + bytes)
        self.record(method, target, answer)
        return answer
    }

    /// What the gateway answers itself; behind its proxy stand services of the tests.
    private func record(_ method: String, _ target: String, _ answer: Answer) {
        guard let log = ExchangeLog.shared, let path = target.split(separator: "?").first.map(String.init),
            let wire = HTTPRequest.Method(rawValue: method), case .found(let route, _) = RouteIndex.catalogue.match(wire, path),
            route.service == .gateway
        else { return }
        let headers = Dictionary(answer.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { "\($0), \($1)" })
        log.record(method, target, answer.status, headers: headers, body: answer.body)
    }

    /// Sends the bytes and reads the answer. On a thread of its own: sockets block.
    func exchange(_ request: [UInt8]) async throws -> Answer {
        let port = self.port
        let raw = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<[UInt8], any Error>) in
            Thread.detachNewThread { continuation.resume(with: Result { try Self.blockingExchange(port, request) }) }
        }
        return try Self.parse(raw)
    }

    private static func blockingExchange(_ port: Int, _ request: [UInt8]) throws -> [UInt8] {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("no socket: errno \(errno)") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard connected == 0 else { throw TestFailure("no connection to port \(port): errno \(errno)") }
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            // The server may answer and close before it has read everything.
            if count <= 0 { break }
            sent += count
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count <= 0 { return answer }
            answer += chunk[..<count]
            if self.isComplete(answer) { return answer }
        }
    }

    /// True once a body of announced length is there; others end with the connection.
    private static func isComplete(_ raw: [UInt8]) -> Bool {
        guard let end = raw.firstRange(of: Array("\r\n\r\n".utf8)) else { return false }
        let head = String(decoding: raw[..<end.lowerBound], as: UTF8.self).lowercased()
        let field = head.components(separatedBy: "\r\n").first { $0.hasPrefix("content-length:") }
        guard let length = field.flatMap({ Int($0.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces)) }) else {
            return false
        }
        return raw.count - end.upperBound >= length
    }

    private static func parse(_ raw: [UInt8]) throws -> Answer {
        guard let end = raw.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw TestFailure("no answer: \(String(decoding: raw, as: UTF8.self))")
        }
        var lines = String(decoding: raw[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = lines.removeFirst().split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw TestFailure("no status")
        }
        let headers = lines.map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (name: String(parts[0]), value: parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        }
        let body = Array(raw[end.upperBound...])
        let isChunked = headers.contains { $0.name.lowercased() == "transfer-encoding" && $0.value == "chunked" }
        return Answer(status: status, headers: headers, body: isChunked ? self.unchunk(body) : body)
    }

    private static func unchunk(_ body: [UInt8]) -> [UInt8] {
        var rest = body[...]
        var plain: [UInt8] = []
        while let line = rest.firstRange(of: Array("\r\n".utf8)),
            let size = Int(String(decoding: rest[rest.startIndex..<line.lowerBound], as: UTF8.self), radix: 16), size > 0
        {
            plain += rest[line.upperBound...].prefix(size)
            rest = rest[line.upperBound...].dropFirst(size + 2)
        }
        return plain
    }
}
