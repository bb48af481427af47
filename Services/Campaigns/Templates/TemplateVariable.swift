/// What a template may say about the person it is rendered for.
enum TemplateVariable: String, CaseIterable, Sendable {
    case firstName = "first_name"
    case lastName = "last_name"
    case email
    case company
    case jobTitle = "job_title"

    /// The known name that a mistyped one most likely meant.
    static func nearest(to name: String) -> TemplateVariable? {
        let distances = Self.allCases.map { (variable: $0, distance: editDistance($0.rawValue, name.lowercased())) }
        guard let best = distances.min(by: { $0.distance < $1.distance }), best.distance <= 3 else { return nil }
        return best.variable
    }
}

/// The values of one person, by variable.
struct TemplateValues: Sendable {
    var firstName: String?
    var lastName: String?
    var email: String?
    var company: String?
    var jobTitle: String?

    subscript(variable: TemplateVariable) -> String? {
        switch variable {
        case .firstName: self.firstName
        case .lastName: self.lastName
        case .email: self.email
        case .company: self.company
        case .jobTitle: self.jobTitle
        }
    }
}

/// Levenshtein distance, over names short enough that its quadratic cost does not matter.
private func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8.prefix(64))
    let right = Array(right.utf8.prefix(64))
    var row = Array(0...right.count)
    for (i, byte) in left.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, other) in right.enumerated() {
            let above = row[j + 1]
            row[j + 1] = min(above + 1, row[j] + 1, diagonal + (byte == other ? 0 : 1))
            diagonal = above
        }
    }
    return row[right.count]
}
