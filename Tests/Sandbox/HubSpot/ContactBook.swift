/// The account's contacts before anyone changed them: each is computed from its index and the seed, none is kept.
///
/// Ids rise with the index, and so do the times of creation. Times of the last change do not: they go through a permutation of the indexes, whose
/// inverse is known, so that a search by time also computes what it answers. Four contacts share each time, as bulk edits make them do.
struct ContactBook: Sendable {
    static let firstID: Int64 = 1_000_001
    /// 2024-01-01 to 2025-06-30.
    private static let created: (start: Int64, span: Int64) = (1_704_067_200_000, 546 * 86_400_000)
    /// From 2025-07-01 for 180 days.
    private static let modified: (start: Int64, span: Int64) = (1_751_328_000_000, 180 * 86_400_000)
    private static let contactsPerTime: Int64 = 4

    let seed: UInt64
    let count: Int
    private let multiplier: Int64
    private let inverse: Int64
    private let offset: Int64

    init(seed: UInt64, count: Int) {
        let size = Int64(max(1, count))
        var multiplier = 1 + Int64(SplitMix64.mix(seed) % UInt64(size))
        while Self.inverse(of: multiplier, modulo: size) == nil { multiplier = multiplier % size + 1 }
        self.seed = seed
        self.count = count
        self.multiplier = multiplier
        self.inverse = Self.inverse(of: multiplier, modulo: size) ?? 1
        self.offset = Int64(SplitMix64.mix(seed &+ 1) % UInt64(size))
    }

    /// By the extended Euclidean algorithm; nil where the two share a factor.
    private static func inverse(of number: Int64, modulo size: Int64) -> Int64? {
        var (previous, current) = (size, number % size)
        var (previousFactor, factor): (Int64, Int64) = (0, 1)
        if size == 1 { return 0 }
        while current != 0 {
            let quotient = previous / current
            (previous, current) = (current, previous - quotient * current)
            (previousFactor, factor) = (factor, previousFactor - quotient * factor)
        }
        return previous == 1 ? (previousFactor % size + size) % size : nil
    }

    func id(at index: Int) -> Int64 { Self.firstID + Int64(index) }

    func index(of id: Int64) -> Int? {
        let index = id - Self.firstID
        return (0..<Int64(self.count)).contains(index) ? Int(index) : nil
    }

    /// Place of a contact in the order of last changes.
    func rank(at index: Int) -> Int { Int((self.multiplier * Int64(index) + self.offset) % Int64(self.count)) }

    func index(atRank rank: Int) -> Int {
        let size = Int64(self.count)
        return Int((Int64(rank) - self.offset + size) % size * self.inverse % size)
    }

    func createdAt(_ index: Int) -> Int64 { Self.created.start + Int64(index) * Self.created.span / Int64(max(1, self.count)) }

    func modifiedAt(rank: Int) -> Int64 {
        let step = max(1, Self.modified.span * Self.contactsPerTime / Int64(max(1, self.count)))
        return Self.modified.start + Int64(rank) / Self.contactsPerTime * step
    }

    /// The first rank whose time is not before this one.
    func firstRank(notBefore time: Int64) -> Int {
        var (low, high) = (0, self.count)
        while low < high {
            let middle = (low + high) / 2
            if self.modifiedAt(rank: middle) < time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// A contact's numbers without its texts.
    func outline(at index: Int) -> Contact {
        Contact(
            id: self.id(at: index),
            properties: [:],
            createdAt: self.createdAt(index),
            modifiedAt: self.modifiedAt(rank: self.rank(at: index)),
            isArchived: false
        )
    }

    func contact(at index: Int) -> Contact {
        var random = SplitMix64(state: SplitMix64.mix(self.seed) ^ UInt64(index) &* 0x9E37_79B9_7F4A_7C15)
        func pick<Element>(_ items: [Element]) -> Element { items[Int(random.next() % UInt64(items.count))] }
        let first = pick(ContactNames.first)
        let last = pick(ContactNames.last)
        let company = pick(ContactNames.companies)
        let city = pick(ContactNames.cities)
        var properties: [String: String] = [
            "firstname": first.0,
            "lastname": last.0,
            // The index makes it unique, and found again without a table.
            "email": "\(first.1).\(last.1).\(index)@\(company.1)",
            "company": company.0,
            "lifecyclestage": pick(ContactNames.stages),
            "city": city.0,
            "country": city.1,
        ]
        if random.next() % 5 != 0 { properties["jobtitle"] = pick(ContactNames.jobs) }
        // 555-01xx numbers belong to nobody.
        if random.next() % 4 != 0 { properties["phone"] = "+1 202 555 01\(10 + random.next() % 90)" }
        var contact = self.outline(at: index)
        contact.properties = properties
        return contact
    }

    /// The contact that has this address.
    func index(ofEmail email: String) -> Int? {
        guard let local = email.split(separator: "@").first, let number = local.split(separator: ".").last, let index = Int(number),
            (0..<self.count).contains(index), self.contact(at: index).properties["email"] == email
        else { return nil }
        return index
    }
}

struct Contact: Sendable, Equatable {
    var id: Int64
    var properties: [String: String]
    /// Milliseconds since 1970, as `modifiedAt`.
    var createdAt: Int64
    var modifiedAt: Int64
    var isArchived: Bool

    /// HubSpot's own properties are computed, the others stored; nil is null.
    func property(_ name: String) -> String? {
        switch name {
        case "hs_object_id": String(self.id)
        case "createdate": Clock.text(self.createdAt)
        case "lastmodifieddate": Clock.text(self.modifiedAt)
        default: self.properties[name]
        }
    }
}
