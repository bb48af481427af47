import Foundation
import Models
import Testing

/// Generated JSON against Foundation's reader, and damaged JSON against crashes. The seeds are fixed: a failure comes back.
@Suite struct JSONFuzzTests {
    @Test(arguments: 1...20)
    func generatedTextReadsAsFoundationReadsIt(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for round in 0..<100 {
            let text = JSONMaker(generator: generator).document()
            generator = text.generator
            let bytes = Array(text.text.utf8)
            let ours = try JSONValue(parsing: bytes)
            let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
            #expect(agrees(ours, theirs), "seed \(seed), round \(round): \(text.text)")
            #expect(try JSONValue(parsing: ours.serialized()) == ours, "seed \(seed), round \(round)")
            #expect(try JSONCoding.decode(JSONValue.self, from: ours.serialized()) == ours.asCoded, "seed \(seed), round \(round)")
        }
    }

    @Test(arguments: 1...20)
    func damagedTextNeverCrashesAndIsTakenOnlyIfFoundationTakesIt(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed &+ 1000)
        for _ in 0..<300 {
            let made = JSONMaker(generator: generator).document()
            generator = made.generator
            var bytes = Array(made.text.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.remove(at: index)
                case 1: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
                default: bytes.insert(Array("{}[]\",:\\u-0e.".utf8).randomElement(using: &generator) ?? 0, at: index)
                }
            }
            guard let ours = try? JSONValue(parsing: bytes) else { continue }
            let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
            #expect(agrees(ours, theirs), "\(String(decoding: bytes, as: UTF8.self))")
        }
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// Random JSON text in all the spellings that the grammar allows.
private struct JSONMaker {
    var generator: SeededGenerator

    consuming func document() -> (text: String, generator: SeededGenerator) {
        let text = self.value(depth: 0)
        return (text, self.generator)
    }

    private mutating func value(depth: Int) -> String {
        let kind = Int.random(in: 0..<(depth < 5 ? 8 : 5), using: &self.generator)
        let text =
            switch kind {
            case 0: ["null", "true", "false"].randomElement(using: &self.generator) ?? "null"
            case 1: String(Int64.random(in: .min ... .max, using: &self.generator) >> Int64.random(in: 0..<63, using: &self.generator))
            case 2: self.fraction()
            case 3, 4: self.string()
            case 5: "[" + self.space() + self.list(depth) { $0.value(depth: depth + 1) } + "]"
            default: self.object(depth)
            }
        return self.space() + text + self.space()
    }

    private mutating func list(_ depth: Int, _ item: (inout Self) -> String) -> String {
        var items: [String] = []
        for _ in 0..<Int.random(in: 0..<5, using: &self.generator) { items.append(item(&self)) }
        return items.joined(separator: ",")
    }

    /// Names differ by their number.
    private mutating func object(_ depth: Int) -> String {
        var count = 0
        return "{" + self.space()
            + self.list(depth) { maker in
                count += 1
                let name = String(maker.string().dropLast()) + "\(count)\""
                return maker.space() + name + maker.space() + ":" + maker.value(depth: depth + 1)
            } + "}"
    }

    private mutating func fraction() -> String {
        let sign = Bool.random(using: &self.generator) ? "-" : ""
        let whole = Int.random(in: 0..<1000, using: &self.generator)
        let part = Int.random(in: 0..<100_000, using: &self.generator)
        let exponent = ["", "e3", "E-5", "e+12"].randomElement(using: &self.generator) ?? ""
        return "\(sign)\(whole).\(part)\(exponent)"
    }

    private mutating func string() -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0..<12, using: &self.generator) {
            switch Int.random(in: 0..<6, using: &self.generator) {
            case 0: text += ["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"].randomElement(using: &self.generator) ?? ""
            case 1: text += ["\\u00e9", "\\u20AC", "\\ud83d\\ude00", "\\u0001"].randomElement(using: &self.generator) ?? ""
            case 2: text += ["é", "€", "😀", "中", "\u{7F}"].randomElement(using: &self.generator) ?? ""
            default: text.unicodeScalars.append(Unicode.Scalar(UInt8.random(in: 0x61...0x7A, using: &self.generator)))
            }
        }
        return "\"\(text)\""
    }

    private mutating func space() -> String {
        ["", "", "", " ", "\n", "\t", "\r\n  "].randomElement(using: &self.generator) ?? ""
    }
}

/// Whether Foundation's objects hold the same as our value.
private func agrees(_ ours: JSONValue, _ theirs: Any) -> Bool {
    switch ours {
    case .null: theirs is NSNull
    case .bool(let value): (theirs as? Bool) == value
    case .integer(let value): (theirs as? NSNumber)?.int64Value == value
    case .double(let value): (theirs as? NSNumber).map { abs($0.doubleValue - value) <= abs(value) * 1e-15 } ?? false
    case .string(let value): (theirs as? String).map { Array($0.unicodeScalars) == Array(value.unicodeScalars) } ?? false
    case .array(let items):
        (theirs as? [Any]).map { other in other.count == items.count && zip(items, other).allSatisfy { agrees($0, $1) } } ?? false
    case .object(let members):
        (theirs as? [String: Any]).map { other in
            other.count == members.count && members.allSatisfy { name, value in other[name].map { agrees(value, $0) } ?? false }
        } ?? false
    }
}

extension JSONValue {
    /// As `Codable` reads it back: a double without a fraction is an integer there.
    fileprivate var asCoded: JSONValue {
        switch self {
        case .double(let value): Int64(exactly: value).map { .integer($0) } ?? self
        case .array(let items): .array(items.map(\.asCoded))
        case .object(let members): .object(members.mapValues(\.asCoded))
        default: self
        }
    }
}
