/// The unchanged contacts that a search matches, in its order, found one by one.
struct GeneratedMatches {
    private let search: ContactSearch
    private let account: ContactAccount
    /// Places in the search's order: indexes, or ranks by time.
    private let window: Range<Int>
    /// Everything in the window matches.
    private let isExact: Bool
    private let step: Int
    private var position: Int
    private var found = 0

    init(_ search: ContactSearch, _ account: ContactAccount, _ window: Range<Int>, isExact: Bool) {
        self.search = search
        self.account = account
        self.window = window
        self.isExact = isExact
        self.step = search.isDescending ? -1 : 1
        self.position = search.isDescending ? window.upperBound - 1 : window.lowerBound
    }

    /// Leaves out the first matches where that takes no counting.
    /// - Returns: how many it left out: all or none.
    mutating func skip(_ count: Int) -> Int {
        guard self.isExact, self.account.changed.isEmpty else { return 0 }
        self.position += self.step * count
        return count
    }

    /// The next match's index.
    mutating func next() -> Int? {
        while self.window.contains(self.position) {
            let index = self.search.order == .modified ? self.account.book.index(atRank: self.position) : self.position
            self.position += self.step
            if self.account.changed[self.account.book.id(at: index)] != nil { continue }
            guard self.isExact || self.search.matches(generated: index, in: self.account.book) else { continue }
            self.found += 1
            return index
        }
        return nil
    }

    /// How many there are in all; goes through the rest where it must.
    var total: Int {
        mutating get {
            guard self.isExact else {
                while self.next() != nil {}
                return self.found
            }
            let book = self.account.book
            let hidden = self.account.changed.keys.compactMap(book.index(of:)).filter { index in
                self.window.contains(self.search.order == .modified ? book.rank(at: index) : index)
            }
            return self.window.count - hidden.count
        }
    }
}

extension ContactSearch {
    /// Numbers first: they cost no contact.
    func matches(generated index: Int, in book: ContactBook) -> Bool {
        guard self.query == nil else { return self.matches(book.contact(at: index)) }
        if self.groups.isEmpty { return true }
        let outline = book.outline(at: index)
        var isOpen = false
        for group in self.groups where group.allSatisfy({ !$0.isNumeric || $0.matches(outline) }) {
            if group.allSatisfy(\.isNumeric) { return true }
            isOpen = true
        }
        return isOpen && self.matches(book.contact(at: index))
    }
}
