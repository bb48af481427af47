/// SQL with its parameters. A string literal whose every `\(value)` becomes `$n` and a bound parameter; text can never get in.
///
/// The server infers each parameter's type from where it stands; where it cannot (`\(ids)` beside `ANY`, a bare `\(x) IS NULL`), write the cast:
/// `= ANY(\(ids)::bigint[])`.
package struct Query: ExpressibleByStringInterpolation, Sendable {
    /// A bound value and where its `$n` begins in ``sql``, so that a fragment can be renumbered without reading SQL.
    struct Parameter: Sendable {
        var text: String?
        var position: Int
    }

    private(set) var sql: String
    private(set) var parameters: [Parameter]

    package init(stringLiteral value: String) {
        self.sql = value
        self.parameters = []
    }

    package init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.query
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var query: Query

        package init(literalCapacity: Int, interpolationCount: Int) {
            self.query = Query(stringLiteral: "")
            self.query.sql.reserveCapacity(literalCapacity + interpolationCount * 3)
            self.query.parameters.reserveCapacity(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { self.query.sql.append(literal) }

        package mutating func appendInterpolation(_ value: some SQLEncodable) { self.query.bind(value.sqlText) }

        package mutating func appendInterpolation(_ value: (some SQLEncodable)?) { self.query.bind(value?.sqlText) }

        /// A fragment that is a query itself: its parameters are renumbered.
        package mutating func appendInterpolation(_ fragment: Query) { self.query.append(fragment) }

        /// Text fixed at compile time: column lists, table names.
        package mutating func appendInterpolation(raw text: StaticString) { self.query.sql.append(text.description) }
    }

    package static func + (left: Query, right: Query) -> Query {
        var sum = left
        sum.append(right)
        return sum
    }

    /// Appends in place: for a statement that is put together in a loop.
    package static func += (left: inout Query, right: Query) { left.append(right) }

    private mutating func bind(_ text: String?) {
        self.parameters.append(Parameter(text: text, position: self.sql.utf8.count))
        self.sql.append("$")
        self.sql.append(String(self.parameters.count))
    }

    private mutating func append(_ fragment: Query) {
        guard !fragment.parameters.isEmpty else {
            self.sql.append(fragment.sql)
            return
        }
        let text = fragment.sql.utf8
        var (start, offset) = (text.startIndex, 0)
        for (index, parameter) in fragment.parameters.enumerated() {
            let end = text.index(start, offsetBy: parameter.position - offset)
            self.sql.append(contentsOf: fragment.sql[start..<end])
            self.bind(parameter.text)
            let placeholder = 1 + String(index + 1).utf8.count
            start = text.index(end, offsetBy: placeholder)
            offset = parameter.position + placeholder
        }
        self.sql.append(contentsOf: fragment.sql[start...])
    }
}

extension Query {
    /// The wire protocol counts parameters in 16 bits.
    static let maximumParameters = 65_535

    /// Postgres text cannot hold U+0000, and C would silently cut the value there.
    /// - Throws: ``DatabaseError`` of kind `misuse` before anything is sent.
    func validate() throws(DatabaseError) {
        guard self.parameters.count <= Self.maximumParameters else {
            throw DatabaseError(.misuse, "a statement with \(self.parameters.count) parameters: at most \(Self.maximumParameters)")
        }
        guard !self.sql.utf8.contains(0) else { throw DatabaseError(.misuse, "the statement holds a NUL character") }
        guard !self.controlsTransaction else {
            throw DatabaseError(.misuse, "a transaction is begun, ended and prepared only by `transaction`")
        }
        for (index, parameter) in self.parameters.enumerated() where parameter.text?.utf8.contains(0) == true {
            throw DatabaseError(.misuse, sqlState: DatabaseError.invalidCharacter, "parameter $\(index + 1) holds a NUL character")
        }
    }
    private static let transactionWords: Set<String> = ["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE"]

    /// The first word would change the state that lanes and transactions rely on. (One hidden behind a comment is found by the state afterwards.)
    private var controlsTransaction: Bool {
        let text = self.sql.utf8.drop { $0 <= 0x20 || $0 == UInt8(ascii: ";") }
        let word = text.prefix(9).prefix { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") }
        guard let first = word.first, "bscerap".utf8.contains(first | 0x20) else { return false }
        return Self.transactionWords.contains(String(decoding: word, as: UTF8.self).uppercased())
    }
}
