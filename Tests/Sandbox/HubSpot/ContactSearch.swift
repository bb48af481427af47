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

    /// Searches by time or id alone compute their answer; others look at the contacts that the order's own filters leave, and build only
    /// those that no number rules out.
    func run(on account: ContactAccount) -> Found {
        let (window, isExact) = self.window(account.book)
        var generated = GeneratedMatches(self, account, window, isExact: isExact)
        guard case .property = self.order else { return self.merge(generated, account) }
        var found = account.changed.values.filter(self.matches)
        while let index = generated.next() { found.append(account.book.contact(at: index)) }
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

    /// The generated contacts that can match, as places in the search's order, and whether all of them do.
    private func window(_ book: ContactBook) -> (Range<Int>, isExact: Bool) {
        var window = 0..<book.count
        guard self.query == nil, self.groups.count <= 1 else { return (window, false) }
        if case .property = self.order { return (window, false) }
        var isExact = true
        for filter in self.groups.first ?? [] {
            let range: Range<Int>?
            switch (self.order, filter.property) {
            case (.modified, "lastmodifieddate"): range = filter.bounds { book.firstRank(notBefore: $0) }
            case (.id, "hs_object_id"): range = filter.bounds { Int(max(0, min(Int64(book.count), $0 - ContactBook.firstID))) }
            default: range = nil
            }
            if let range { window = window.clamped(to: range) } else { isExact = false }
        }
        return (window, isExact)
    }

    /// Merges the generated matches with the changed ones, up to the page's end.
    private func merge(_ matches: GeneratedMatches, _ account: ContactAccount) -> Found {
        var generated = matches
        var changed = account.changed.values.filter(self.matches).sorted(by: self.precedes)[...]
        let changedCount = changed.count
        let skipped = generated.skip(self.offset)
        var contacts: [Contact] = []
        var index = generated.next()
        for position in skipped..<(self.offset + self.limit) {
            let takesChanged =
                changed.first.map { first in index.map { self.precedes(first, account.book.outline(at: $0)) } ?? true } ?? false
            if takesChanged, let contact = changed.popFirst() {
                if position >= self.offset { contacts.append(contact) }
            } else {
                guard let current = index else { break }
                if position >= self.offset { contacts.append(account.book.contact(at: current)) }
                index = generated.next()
            }
        }
        return Found(total: generated.total + changedCount, contacts: contacts)
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
