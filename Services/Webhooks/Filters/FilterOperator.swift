import Models

/// What may stand under a path.
enum FilterOperator: String, CaseIterable, Sendable {
    case equal = "$eq"
    case notEqual = "$ne"
    case among = "$in"
    case above = "$gt"
    case atLeast = "$gte"
    case below = "$lt"
    case atMost = "$lte"
    case startsWith = "$startsWith"
    case exists = "$exists"
    case not = "$not"
}

/// What stands between conditions. Those of one object are joined by AND.
enum FilterConnective: String, CaseIterable, Sendable {
    case or = "$or"
    case not = "$not"
}
