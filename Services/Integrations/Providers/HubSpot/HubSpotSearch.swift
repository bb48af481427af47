import Models

/// Where a sync of HubSpot contacts stands. Saved as JSON after every page.
enum HubSpotCursor: Sendable, Equatable {
    /// The first whole pass by list, in order of id. Changes from `since` on (Unix milliseconds) are read after it.
    case full(after: String?, since: Int64)
    /// Changes in order of their time, from `from` on. The next run begins at `since`, which keeps an overlap with what was seen.
    case changes(from: Int64, since: Int64)
    /// More contacts than a page carry the time `at` (an import does that): those with ids above `above`, in order of id.
    case tied(at: Int64, above: Int64, since: Int64)
    /// The list of archived contacts, which no search shows; the next run begins at `since`.
    case archived(after: String?, since: Int64, endsFullPass: Bool)

    var json: JSONValue {
        switch self {
        case .full(let after, let since):
            ["phase": "full", "after": after.map { .string($0) } ?? .null, "since": .integer(since)]
        case .changes(let from, let since): ["phase": "changes", "from": .integer(from), "since": .integer(since)]
        case .tied(let at, let above, let since):
            ["phase": "tied", "at": .integer(at), "above": .integer(above), "since": .integer(since)]
        case .archived(let after, let since, let endsFullPass):
            [
                "phase": "archived", "after": after.map { .string($0) } ?? .null, "since": .integer(since),
                "ends_full_pass": .bool(endsFullPass),
            ]
        }
    }

    /// nil where it is not one of ``json``'s: the caller begins anew.
    init?(json: JSONValue) {
        func number(_ name: String) -> Int64? { json[name]?.integerValue }
        let after = json["after"]?.stringValue
        switch json["phase"]?.stringValue {
        case "full":
            guard let since = number("since") else { return nil }
            self = .full(after: after, since: since)
        case "changes":
            guard let from = number("from"), let since = number("since") else { return nil }
            self = .changes(from: from, since: since)
        case "tied":
            guard let at = number("at"), let above = number("above"), let since = number("since") else { return nil }
            self = .tied(at: at, above: above, since: since)
        case "archived":
            guard let since = number("since") else { return nil }
            self = .archived(after: after, since: since, endsFullPass: json["ends_full_pass"]?.boolValue ?? false)
        default: return nil
        }
    }
}

/// A search for changed contacts. It never pages by `after`: offsets move under a reader when a contact changes meanwhile, and HubSpot
/// ends them at 10,000 results. Instead every page begins a new search at the last time seen.
struct HubSpotSearch: Sendable, Equatable {
    /// New changes take a moment to be searchable, and clocks differ: a run begins this much before the last one's end. Milliseconds.
    static let overlap: Int64 = 300_000

    struct Filter: Sendable, Equatable {
        var property: String
        var comparison: String
        var value: Int64

        fileprivate var json: JSONValue {
            ["propertyName": .string(self.property), "operator": .string(self.comparison), "value": .string(String(self.value))]
        }
    }

    var filters: [Filter]
    var sort: String
    var limit: Int

    static func changes(from: Int64, limit: Int) -> Self {
        Self(filters: [Filter(property: "lastmodifieddate", comparison: "GTE", value: from)], sort: "lastmodifieddate", limit: limit)
    }

    static func tied(at: Int64, above: Int64, limit: Int) -> Self {
        Self(
            filters: [
                Filter(property: "lastmodifieddate", comparison: "EQ", value: at),
                Filter(property: "hs_object_id", comparison: "GT", value: above),
            ],
            sort: "hs_object_id",
            limit: limit
        )
    }

    var body: JSONValue {
        [
            "filterGroups": [["filters": .array(self.filters.map(\.json))]],
            "sorts": [["propertyName": .string(self.sort), "direction": "ASCENDING"]],
            "properties": .array(HubSpotClient.contactProperties.map(JSONValue.string)),
            "limit": .integer(Int64(self.limit)),
        ]
    }

    /// Where the search goes on after a page; when nothing is left, the archived contacts come.
    /// - seen: time and id of each contact of the page.
    /// - hasMore: the provider has more for this search.
    static func next(after cursor: HubSpotCursor, seen: [(time: Int64, id: Int64)], hasMore: Bool) -> HubSpotCursor {
        let newest = seen.map(\.time).max()
        // Only ever forward: an account where nothing happens must not drift into the past.
        func advanced(_ since: Int64) -> Int64 { newest.map { max(since, $0 - Self.overlap) } ?? since }
        switch cursor {
        case .changes(let from, let since):
            guard hasMore, let newest else { return .archived(after: nil, since: advanced(since), endsFullPass: false) }
            // Every contact of the page carries the time that it began at: by time alone the search would stand still.
            return newest > from
                ? .changes(from: newest, since: advanced(since)) : .tied(at: from, above: 0, since: advanced(since))
        case .tied(let at, let above, let since):
            guard hasMore, let highest = seen.map(\.id).max(), highest > above else {
                return .changes(from: at + 1, since: advanced(since))
            }
            return .tied(at: at, above: highest, since: advanced(since))
        case .full, .archived: return cursor
        }
    }
}
