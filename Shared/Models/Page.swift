/// A list answer: `{"data": […], "next_cursor": "…" | null}`.
package struct Page<Item: Encodable & Sendable>: Encodable, Sendable {
    package var data: [Item]
    package var nextCursor: String?

    package init(data: [Item], nextCursor: String?) {
        self.data = data
        self.nextCursor = nextCursor
    }

    private enum CodingKeys: String, CodingKey {
        case data
        case nextCursor = "next_cursor"
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.data, forKey: .data)
        // An absent cursor is written as null: clients test the field, not its presence.
        try container.encode(self.nextCursor, forKey: .nextCursor)
    }
}

/// `?limit=` (1–200, default 50) and the opaque `?cursor=`, already checked.
package struct PageRequest: Sendable, Equatable {
    package static let limits = 1...200
    package static let defaultLimit = 50

    package var limit: Int
    /// Ids strictly below this one come next (lists are newest first); nil for the first page.
    package var before: Int64?

    package init(limit: Int = Self.defaultLimit, before: Int64? = nil) {
        self.limit = limit
        self.before = before
    }
}
