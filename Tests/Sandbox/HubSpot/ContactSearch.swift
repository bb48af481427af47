import Models

/// `POST /crm/v3/objects/contacts/search`, understood.
struct ContactSearch: Sendable {
    enum Order: Sendable, Equatable { case id, modified, property(String) }

    /// Alternatives, each of filters that must all hold; none matches everything.
    var groups: [[ContactFilter]]
    var query: String?
    var order: Order
    var isDescending: Bool
    var limit: Int
    var offset: Int

    struct Found: Sendable {
        var total: Int
        var contacts: [Contact]
    }

    func matches(_ contact: Contact) -> Bool {
        guard !contact.isArchived else { return false }
        if let query, !contact.contains(query) { return false }
        return self.groups.isEmpty || self.groups.contains { $0.allSatisfy { $0.matches(contact) } }
    }

    /// Searches by time or id alone compute their answer; others go through every contact.
    func run(on account: ContactAccount) -> Found {
        if let window = self.window(account.book) { return self.run(on: account, window) }
        var found: [Contact] = []
        for index in 0..<account.book.count where account.changed[account.book.id(at: index)] == nil {
            let contact = account.book.contact(at: index)
            if self.matches(contact) { found.append(contact) }
        }
        found += account.changed.values.filter(self.matches)
        found.sort(by: self.precedes)
        return Found(total: found.count, contacts: Array(found.dropFirst(self.offset).prefix(self.limit)))
    }

    private func precedes(_ left: Contact, _ right: Contact) -> Bool {
        let (first, second) = self.isDescending ? (right, left) : (left, right)
        switch self.order {
        case .id: return first.id < second.id
        case .modified: return (first.modifiedAt, first.id) < (second.modifiedAt, second.id)
        case .property(let name): return (first.property(name) ?? "", first.id) < (second.property(name) ?? "", second.id)
        }
    }

    /// The generated contacts that can match, as places in the search's order; nil where that needs looking at each.
    private func window(_ book: ContactBook) -> Range<Int>? {
        guard self.query == nil, self.groups.count <= 1 else { return nil }
        let filters = self.groups.first ?? []
        var window = 0..<book.count
        for filter in filters {
            let range: Range<Int>?
            switch (self.order, filter.property) {
            case (.modified, "lastmodifieddate"): range = filter.bounds { book.firstRank(notBefore: $0) }
            case (.id, "hs_object_id"): range = filter.bounds { Int(max(0, min(Int64(book.count), $0 - ContactBook.firstID))) }
            default: range = nil
            }
            guard let range else { return nil }
            window = window.clamped(to: range)
        }
        return window
    }

    private func run(on account: ContactAccount, _ window: Range<Int>) -> Found {
        let book = account.book
        let hidden = account.changed.keys.compactMap { self.place(of: $0, in: book) }.filter(window.contains).count
        var changed = account.changed.values.filter(self.matches).sorted(by: self.precedes)[...]
        let total = window.count - hidden + changed.count
        var walk = Walk(window: window, isDescending: self.isDescending)
        var skipped = 0
        if account.changed.isEmpty {
            walk.skip(self.offset)
            skipped = self.offset
        }
        func nextGenerated() -> Contact? {
            while let place = walk.next() {
                let index = self.order == .modified ? book.index(atRank: place) : place
                if account.changed[book.id(at: index)] == nil { return book.contact(at: index) }
            }
            return nil
        }
        var contacts: [Contact] = []
        var generated = nextGenerated()
        for position in skipped..<(self.offset + self.limit) {
            let takesChanged = changed.first.map { first in generated.map { self.precedes(first, $0) } ?? true } ?? false
            guard let contact = takesChanged ? changed.popFirst() : generated else { break }
            if !takesChanged { generated = nextGenerated() }
            if position >= self.offset { contacts.append(contact) }
        }
        return Found(total: total, contacts: contacts)
    }

    /// nil for a contact that was not generated.
    private func place(of id: Int64, in book: ContactBook) -> Int? {
        book.index(of: id).map { self.order == .modified ? book.rank(at: $0) : $0 }
    }
}

/// Goes through a window of places in one direction.
private struct Walk {
    let window: Range<Int>
    let step: Int
    var position: Int

    init(window: Range<Int>, isDescending: Bool) {
        self.window = window
        self.step = isDescending ? -1 : 1
        self.position = isDescending ? window.upperBound - 1 : window.lowerBound
    }

    mutating func skip(_ count: Int) { self.position += self.step * count }

    mutating func next() -> Int? {
        guard self.window.contains(self.position) else { return nil }
        defer { self.position += self.step }
        return self.position
    }
}

extension Contact {
    fileprivate func contains(_ query: String) -> Bool {
        let query = query.lowercased()
        return ["email", "firstname", "lastname", "company", "phone"].contains {
            self.properties[$0]?.lowercased().contains(query) ?? false
        }
    }
}
