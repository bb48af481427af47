/// Rows in columns as wide as their widest cell.
package struct TextTable: CustomStringConvertible {
    private var rows: [[String]]

    package init(_ header: [String]) { self.rows = [header] }

    package mutating func add(_ row: [String]) { self.rows.append(row) }

    package var description: String {
        let widths = self.rows[0].indices.map { column in self.rows.map { $0[column].count }.max() ?? 0 }
        let lines = self.rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        }
        let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
        return ([lines[0], rule] + lines.dropFirst()).joined(separator: "\n")
    }
}
