/// What someone most likely meant by a name that does not exist.
enum Suggestion {
    /// Known names that are listed where none is near; a longer list helps nobody.
    private static let mostListed = 20

    /// The end of a fault's text: the nearest name, or those that there are.
    static func text(for name: String, among known: [String]) -> String {
        if let nearest = self.nearest(to: name, among: known) { return self.meaning(nearest) }
        return known.count > self.mostListed ? "" : "; known are \(known.joined(separator: ", "))"
    }

    static func meaning(_ name: String) -> String { "; did you mean \(name)?" }

    /// The known name with the fewest edits, if they are few for its length; of equals the one with the longest beginning in common.
    static func nearest(to name: String, among known: [String]) -> String? {
        let bytes = Array(name.lowercased().utf8)
        var best: (name: String, distance: Int, beginning: Int)?
        for candidate in known {
            let other = Array(candidate.lowercased().utf8)
            let limit = min(self.mostEdits(other.count), best?.distance ?? .max)
            guard abs(bytes.count - other.count) <= limit else { continue }
            let distance = self.editDistance(bytes, other)
            let beginning = zip(bytes, other).prefix { $0 == $1 }.count
            guard distance <= limit, best.map({ (distance, -beginning) < ($0.distance, -$0.beginning) }) ?? true else { continue }
            best = (candidate, distance, beginning)
        }
        return best?.name
    }

    /// Two are a swapped pair of letters; with two of three letters wrong it would be any other name.
    private static func mostEdits(_ length: Int) -> Int { length < 4 ? 1 : max(2, length / 3) }

    /// Levenshtein's; the callers' limits keep both short.
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in right.enumerated() {
                let above = row[column + 1]
                row[column + 1] = min(above + 1, row[column] + 1, diagonal + (byte == other ? 0 : 1))
                diagonal = above
            }
        }
        return row[right.count]
    }
}
