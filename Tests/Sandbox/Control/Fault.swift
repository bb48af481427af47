import Foundation
import Models

/// One switched-on fault: what happens to which requests, and how often.
struct Fault: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        /// 429 in the provider's words.
        case rateLimited = "rate_limited"
        /// 500 in the provider's words.
        case serverError = "server_error"
        /// 401, as for a token that has run out.
        case expiredToken = "expired_token"
        /// Any other status, without a body.
        case status
        /// No answer for `hang_ms`, then the connection is cut.
        case hang
        /// The connection is cut without an answer.
        case cut
        /// The answer comes `latency_ms` later.
        case latency
    }

    var id = 0
    var kind: Kind
    /// nil for every provider.
    var provider: Provider?
    /// nil for every method.
    var method: String?
    /// A path, `*` standing for any text.
    var path = "*"
    /// The request is carried out first, then its answer is lost: what makes a send in doubt.
    var isAfterwards = false
    var status = 503
    /// `Retry-After` of an error answer.
    var retryAfter: Int?
    var hang = Duration.seconds(3600)
    var latency = Duration.zero
    /// Requests still to be hit; nil for no end.
    var count: Int?
    /// Share of the matching requests that is hit.
    var probability = 1.0
    var fired = 0
    var random: SplitMix64

    func matches(provider: Provider, method: String, path: String) -> Bool {
        if let wanted = self.provider, wanted != provider { return false }
        if let wanted = self.method, wanted != method { return false }
        return Self.matches(path[...], self.path[...])
    }

    /// Whether a text fits a pattern in which `*` stands for any text.
    static func matches(_ text: Substring, _ pattern: Substring) -> Bool {
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard parts.count > 1, let first = parts.first, let last = parts.last else { return text == pattern }
        guard text.hasPrefix(first), text.count >= first.count + last.count, text.hasSuffix(last) else { return false }
        var rest = text.dropFirst(first.count).dropLast(last.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let range = rest.range(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return true
    }
}

extension Fault {
    /// Reads a switch as the control plane takes it.
    /// - Throws: ``ControlError`` naming the first member that is wrong.
    init(_ body: JSONValue) throws(ControlError) {
        let known: Set = [
            "kind", "provider", "method", "path", "after", "status", "retry_after", "hang_ms", "latency_ms", "count", "probability", "seed",
        ]
        guard let members = body.objectValue else { throw ControlError("The body must be a JSON object.") }
        if let name = members.keys.sorted().first(where: { !known.contains($0) }) { throw ControlError("Unknown member \(name).") }
        guard let kind = body["kind"]?.stringValue.flatMap(Kind.init) else {
            throw ControlError("kind must be one of \(Kind.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        self.kind = kind
        self.random = SplitMix64(state: UInt64(bitPattern: body["seed"]?.integerValue ?? 1))
        if let name = body["provider"] {
            guard let provider = name.stringValue.flatMap(Provider.init(rawValue:)) else {
                throw ControlError("provider must be one of \(Provider.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            self.provider = provider
        }
        self.method = body["method"]?.stringValue?.uppercased()
        self.path = body["path"]?.stringValue ?? "*"
        self.isAfterwards = body["after"]?.boolValue ?? false
        self.status = try body.whole("status", 200...599) ?? 503
        self.retryAfter = try body.whole("retry_after", 0...86_400)
        self.hang = .milliseconds(try body.whole("hang_ms", 0...86_400_000) ?? 3_600_000)
        self.latency = .milliseconds(try body.whole("latency_ms", 0...3_600_000) ?? 0)
        self.count = try body.whole("count", 1...1_000_000_000)
        self.probability = try body.share("probability") ?? 1
    }

    var json: JSONValue {
        [
            "id": .integer(Int64(self.id)),
            "kind": .string(self.kind.rawValue),
            "provider": self.provider.map { .string($0.rawValue) } ?? .null,
            "method": self.method.map(JSONValue.string) ?? .null,
            "path": .string(self.path),
            "after": .bool(self.isAfterwards),
            "left": self.count.map { .integer(Int64($0)) } ?? .null,
            "probability": .double(self.probability),
            "fired": .integer(Int64(self.fired)),
        ]
    }
}

/// What the control plane refuses: answered as 400 with this text.
struct ControlError: Error {
    var detail: String

    init(_ detail: String) { self.detail = detail }
}

extension JSONValue {
    /// A whole number in a range, nil where the member is missing.
    func whole(_ name: String, _ range: ClosedRange<Int>) throws(ControlError) -> Int? {
        guard let member = self[name], member != .null else { return nil }
        guard let number = member.integerValue, range.contains(Int(number)) else {
            throw ControlError("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return Int(number)
    }

    fileprivate func share(_ name: String) throws(ControlError) -> Double? {
        switch self[name] {
        case nil, .null: return nil
        case .integer(let number) where number == 0 || number == 1: return Double(number)
        case .double(let number) where (0...1).contains(number): return number
        default: throw ControlError("\(name) must be a number from 0 to 1.")
        }
    }
}
