// Reading and writing JSON text (RFC 8259) without Foundation's per-value cost: bodies, events and templates pass here.

extension JSONValue {
    /// Compact JSON with members sorted by name.
    package func serialized() -> [UInt8] {
        var bytes: [UInt8] = []
        self.write(into: &bytes)
        return bytes
    }

    /// Compact JSON as text.
    package var text: String { String(decoding: self.serialized(), as: UTF8.self) }

    package func write(into bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .double(let value): bytes.append(contentsOf: (value.isFinite ? String(value) : "null").utf8)
        case .string(let value): JSONText.writeString(value, into: &bytes)
        case .array(let items):
            bytes.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                item.write(into: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSONText.writeString(member.key, into: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(into: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// Reads one JSON text. Refused: trailing bytes, invalid UTF-8, member names given twice, nesting beyond 64 levels.
    package init(parsing bytes: some Collection<UInt8>) throws(JSONText.Failure) {
        let bytes = Array(bytes)
        var parser = JSONText.Parser(bytes: bytes)
        self = try parser.document()
    }
}

package enum JSONText {
    /// Where and why a text is not JSON.
    package struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
        package var offset: Int
        package var reason: String

        package var description: String { "\(self.reason) at byte \(self.offset)" }
    }

    /// Levels of arrays and objects that are read; deeper input is an attack on the stack.
    package static let maximumDepth = 64

    private static let hexDigits = Array("0123456789abcdef".utf8)

    package static func writeString(_ text: String, into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        // Most text has nothing to escape, and goes over in one piece.
        if text.utf8.contains(where: self.mustEscape) {
            for byte in text.utf8 { self.writeByte(byte, into: &bytes) }
        } else {
            bytes.append(contentsOf: text.utf8)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func mustEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func writeByte(_ byte: UInt8, into bytes: inout [UInt8]) {
        guard self.mustEscape(byte) else { return bytes.append(byte) }
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        default:
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(self.hexDigits[Int(byte >> 4)])
            bytes.append(self.hexDigits[Int(byte & 15)])
        }
    }

    struct Parser {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        func failure(_ reason: String) -> Failure { Failure(offset: self.position, reason: reason) }

        mutating func document() throws(Failure) -> JSONValue {
            let value = try self.value(depth: 0)
            self.skipSpace()
            guard self.position == self.bytes.count else { throw self.failure("more text after the value") }
            return value
        }

        mutating func value(depth: Int) throws(Failure) -> JSONValue {
            self.skipSpace()
            guard let byte = self.peek else { throw self.failure("the text ends early") }
            switch byte {
            case UInt8(ascii: "{"): return try self.object(depth: depth)
            case UInt8(ascii: "["): return try self.array(depth: depth)
            case UInt8(ascii: "\""): return .string(try self.string())
            case UInt8(ascii: "t"): return try self.word("true", .bool(true))
            case UInt8(ascii: "f"): return try self.word("false", .bool(false))
            case UInt8(ascii: "n"): return try self.word("null", .null)
            default: return try self.number()
            }
        }

        var peek: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

        mutating func skipSpace() {
            while let byte = self.peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { self.position += 1 }
        }

        mutating func word(_ word: StaticString, _ value: JSONValue) throws(Failure) -> JSONValue {
            let end = self.position + word.utf8CodeUnitCount
            let matches = end <= self.bytes.count && word.withUTF8Buffer { self.bytes[self.position..<end].elementsEqual($0) }
            guard matches else { throw self.failure("not a JSON value") }
            self.position = end
            return value
        }

        mutating func object(depth: Int) throws(Failure) -> JSONValue {
            guard depth < maximumDepth else { throw self.failure("nested too deeply") }
            self.position += 1
            self.skipSpace()
            if self.take("}") { return .object([:]) }
            // Room for what most objects have, without growing several times on the way.
            var members = [String: JSONValue](minimumCapacity: 6)
            while true {
                self.skipSpace()
                guard self.peek == UInt8(ascii: "\"") else { throw self.failure("a member name is missing") }
                let name = try self.string()
                self.skipSpace()
                guard self.take(":") else { throw self.failure("a colon is missing") }
                let value = try self.value(depth: depth + 1)
                guard members.updateValue(value, forKey: name) == nil else { throw self.failure("a member name is given twice") }
                self.skipSpace()
                if self.take("}") { return .object(members) }
                guard self.take(",") else { throw self.failure("a comma or closing brace is missing") }
            }
        }

        mutating func array(depth: Int) throws(Failure) -> JSONValue {
            guard depth < maximumDepth else { throw self.failure("nested too deeply") }
            self.position += 1
            var items: [JSONValue] = []
            self.skipSpace()
            if self.take("]") { return .array(items) }
            while true {
                items.append(try self.value(depth: depth + 1))
                self.skipSpace()
                if self.take("]") { return .array(items) }
                guard self.take(",") else { throw self.failure("a comma or closing bracket is missing") }
            }
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard self.peek == UInt8(ascii: character) else { return false }
            self.position += 1
            return true
        }

        /// RFC 8259 section 6: no leading zeros, no bare point; whole numbers that fit are kept exact.
        mutating func number() throws(Failure) -> JSONValue {
            let start = self.position
            var whole = true
            _ = self.take("-")
            if !self.take("0") { guard self.digits() > 0 else { throw self.failure("not a JSON value") } }
            if self.take(".") {
                whole = false
                guard self.digits() > 0 else { throw self.failure("a digit is missing after the point") }
            }
            if self.take("e") || self.take("E") {
                whole = false
                if !self.take("+") { _ = self.take("-") }
                guard self.digits() > 0 else { throw self.failure("a digit is missing in the exponent") }
            }
            let text = String(decoding: self.bytes[start..<self.position], as: UTF8.self)
            if whole, let value = Int64(text) { return .integer(value) }
            guard let value = Double(text), value.isFinite else { throw self.failure("a number is out of range") }
            return .double(value)
        }

        mutating func digits() -> Int {
            let start = self.position
            while let byte = self.peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { self.position += 1 }
            return self.position - start
        }

        mutating func string() throws(Failure) -> String {
            self.position += 1
            let start = self.position
            var bits: UInt8 = 0
            while let byte = self.peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
                bits |= byte
                self.position += 1
            }
            // ASCII, as most is, is UTF-8 already, and its own piece of the text.
            if bits < 0x80, self.peek == UInt8(ascii: "\"") {
                defer { self.position += 1 }
                return self.bytes.withUnsafeBufferPointer { String(decoding: $0[start..<self.position], as: UTF8.self) }
            }
            var text = Array(self.bytes[start..<self.position])
            while let byte = self.peek {
                self.position += 1
                switch byte {
                case UInt8(ascii: "\""):
                    guard let string = String(validating: text, as: UTF8.self) else { throw self.failure("invalid UTF-8") }
                    return string
                case UInt8(ascii: "\\"): try self.escape(into: &text)
                case 0..<0x20: throw self.failure("a control character in a string")
                default: text.append(byte)
                }
            }
            throw self.failure("a string is not closed")
        }

        mutating func escape(into text: inout [UInt8]) throws(Failure) {
            guard let byte = self.peek else { throw self.failure("a string is not closed") }
            self.position += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"): text.append(contentsOf: Array(String(try self.scalar()).utf8))
            default: throw self.failure("an unknown escape")
            }
        }

        /// `\u` with four hexadecimal digits, or a surrogate pair of two of them; a lone surrogate is refused.
        mutating func scalar() throws(Failure) -> Unicode.Scalar {
            let first = try self.hexUnit()
            if let scalar = Unicode.Scalar(first) { return scalar }
            guard first < 0xDC00, self.take("\\"), self.take("u") else { throw self.failure("a lone surrogate") }
            let second = try self.hexUnit()
            guard (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            else { throw self.failure("a lone surrogate") }
            return scalar
        }

        mutating func hexUnit() throws(Failure) -> UInt32 {
            var unit: UInt32 = 0
            for _ in 0..<4 {
                guard let byte = self.peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                    throw self.failure("four hexadecimal digits are missing")
                }
                unit = unit << 4 | UInt32(digit)
                self.position += 1
            }
            return unit
        }
    }
}
