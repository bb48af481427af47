package import Hummingbird
package import Models

extension Request {
    /// `?limit=&cursor=`, other parameters of these names allowed; unknown ones are faults.
    package func page(alsoAllowing names: Set<String> = []) throws -> PageRequest {
        let (limit, before) = try self.page(alsoAllowing: names, cursor: Cursor.decode)
        return PageRequest(limit: limit, before: before)
    }

    /// The same for a list whose order is that of text ids: its cursor is a ``TextCursor``.
    package func textPage(alsoAllowing names: Set<String> = []) throws -> (limit: Int, before: String?) {
        try self.page(alsoAllowing: names, cursor: TextCursor.decode)
    }

    private func page<Place>(alsoAllowing names: Set<String>, cursor: (String) -> Place?) throws -> (limit: Int, before: Place?) {
        var limit = PageRequest.defaultLimit
        var before: Place?
        var faults: [Problem.Fault] = []
        var seen: Set<String> = []
        for (name, value) in self.queryItems(&faults) {
            guard seen.insert(name).inserted else {
                faults.append(Problem.Fault(pointer: "?\(name)", detail: "is given more than once"))
                continue
            }
            switch name {
            case "limit":
                guard let number = Int(value), PageRequest.limits.contains(number) else {
                    let limits = PageRequest.limits
                    faults.append(
                        Problem.Fault(pointer: "?limit", detail: "must be a number from \(limits.lowerBound) to \(limits.upperBound)")
                    )
                    continue
                }
                limit = number
            case "cursor":
                guard let place = cursor(value) else {
                    faults.append(Problem.Fault(pointer: "?cursor", detail: "is not a cursor of this list"))
                    continue
                }
                before = place
            default:
                if !names.contains(name) { faults.append(Problem.Fault(pointer: "?\(name)", detail: "is not a known parameter")) }
            }
        }
        guard faults.isEmpty else { throw Problem.validation(faults) }
        return (limit, before)
    }

    /// The first value of a query parameter, decoded; nil where it is not given or broken.
    package func query(_ name: String) -> String? {
        var faults: [Problem.Fault] = []
        return self.queryItems(&faults).first { $0.0 == name }?.1
    }

    private func queryItems(_ faults: inout [Problem.Fault]) -> [(String, String)] {
        guard let query = self.uri.query, !query.isEmpty else { return [] }
        return query.split(separator: "&").compactMap { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentCoding.decode(parts[0], plusIsSpace: true) else {
                faults.append(Problem.Fault(pointer: "?", detail: "a parameter's name is not percent-encoded UTF-8"))
                return nil
            }
            guard let value = PercentCoding.decode(parts.count > 1 ? parts[1] : "", plusIsSpace: true), !value.utf8.contains(0) else {
                faults.append(Problem.Fault(pointer: "?\(name)", detail: "is not percent-encoded UTF-8"))
                return nil
            }
            return (name, value)
        }
    }
}

/// Opaque page cursors: base64url of version, id and checksum. The checksum tells a mistyped cursor from a true one; it is no secret,
/// since a cursor only says where a list that the caller may read goes on.
package enum Cursor {
    private static let version: UInt8 = 1

    package static func encode(_ id: Int64) -> String {
        let body = [self.version] + withUnsafeBytes(of: id.bigEndian) { Array($0) }
        return Base64URL.encode(body + CursorChecksum.bytes(of: body[...]))
    }

    package static func decode(_ text: String) -> Int64? {
        guard text.utf8.count < 64, let bytes = Base64URL.decode(text), bytes.count == 13, bytes[0] == self.version,
            Array(bytes[9...]) == CursorChecksum.bytes(of: bytes[..<9])
        else { return nil }
        return bytes[1..<9].reduce(Int64(0)) { $0 << 8 | Int64($1) }
    }
}

/// The same for lists in the order of a text id: version, text, checksum.
package enum TextCursor {
    private static let version: UInt8 = 2
    /// Longer ids have no cursor; the house makes ids of 36 bytes.
    private static let longest = 256

    package static func encode(_ id: String) -> String {
        let body = [self.version] + Array(id.utf8)
        return Base64URL.encode(body + CursorChecksum.bytes(of: body[...]))
    }

    package static func decode(_ text: String) -> String? {
        guard text.utf8.count <= self.longest * 2, let bytes = Base64URL.decode(text), (6...self.longest + 5).contains(bytes.count),
            bytes[0] == self.version, Array(bytes.suffix(4)) == CursorChecksum.bytes(of: bytes.dropLast(4)),
            let id = String(validating: bytes.dropFirst().dropLast(4), as: UTF8.self), !id.utf8.contains(0)
        else { return nil }
        return id
    }
}

private enum CursorChecksum {
    /// FNV-1a, 32 bits.
    static func bytes(of body: ArraySlice<UInt8>) -> [UInt8] {
        let hash = body.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return withUnsafeBytes(of: hash.bigEndian) { Array($0) }
    }
}

extension Page {
    /// `fetched` holds up to `limit + 1` items: the extra one only tells that there is more.
    package init(fetched: [Item], request: PageRequest, id: (Item) -> Int64) {
        let shown = Array(fetched.prefix(request.limit))
        let cursor = fetched.count > request.limit ? shown.last.map { Cursor.encode(id($0)) } : nil
        self.init(data: shown, nextCursor: cursor)
    }
}

extension Page {
    /// As above, for lists in the order of a text id.
    package init(fetched: [Item], limit: Int, id: (Item) -> String) {
        let shown = Array(fetched.prefix(limit))
        let cursor = fetched.count > limit ? shown.last.map { TextCursor.encode(id($0)) } : nil
        self.init(data: shown, nextCursor: cursor)
    }
}
