/// `X-Request-Id` and W3C `traceparent`: taken from the request where they are well formed, made otherwise.
package enum RequestIdentifiers {
    static let longest = 128

    static func isRequestID(_ text: String) -> Bool {
        (1...self.longest).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "+"), UInt8(ascii: "="): true
                default: false
                }
            }
    }

    package static func requestID(given: String?) -> String {
        if let given, self.isRequestID(given) { return given }
        return EventID.make("req")
    }
}

/// W3C Trace Context level 1: `version-traceid-parentid-flags`.
package struct TraceParent: Sendable, Equatable, CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    package var traceID: String
    /// 16 lower-case hexadecimal digits.
    package var parentID: String
    package var flags: String

    /// A new trace.
    package init() {
        self.traceID = Self.random(words: 2)
        self.parentID = Self.random(words: 1)
        self.flags = "01"
    }

    /// nil where the header is malformed; a later version is read by its first four fields (section 3.2.4).
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { String($0) }
        guard parts.count >= 4, Self.isHex(parts[0], 2), parts[0] != "ff", parts[0] != "00" || parts.count == 4,
            Self.isHex(parts[1], 32), Self.isHex(parts[2], 16), Self.isHex(parts[3], 2),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" })
        else { return nil }
        self.traceID = parts[1]
        self.parentID = parts[2]
        self.flags = parts[3]
    }

    /// The same trace, one step further.
    package func child() -> TraceParent {
        var child = self
        child.parentID = Self.random(words: 1)
        return child
    }

    package var description: String { "00-\(self.traceID)-\(self.parentID)-\(self.flags)" }

    private static func isHex(_ text: String, _ length: Int) -> Bool {
        text.utf8.count == length
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    /// So many times eight random bytes, not all of them zero.
    private static func random(words count: Int) -> String {
        var random = PooledRandom()
        var word: UInt64 = 0
        return String(unsafeUninitializedCapacity: count * 16) { output in
            for index in 0..<count * 16 {
                if index % 16 == 0 { word = UInt64.random(in: 1 ... .max, using: &random) }
                let digit = UInt8(word & 15)
                output[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                word >>= 4
            }
            return count * 16
        }
    }
}

/// What calls to other services carry on from the request that is being served.
package struct RequestScope: Sendable {
    package var requestID: String
    package var traceParent: TraceParent

    package init(requestID: String, traceParent: TraceParent) {
        self.requestID = requestID
        self.traceParent = traceParent
    }

    @TaskLocal package static var current: RequestScope?
}
