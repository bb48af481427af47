/// The contacts of the account: the generated ones, and over them what was changed since.
struct ContactAccount: Sendable {
    static let knownProperties: Set = [
        "email", "firstname", "lastname", "company", "jobtitle", "phone", "lifecyclestage", "city", "country", "createdate",
        "lastmodifieddate",
        "hs_object_id",
    ]
    static let readOnlyProperties: Set = ["createdate", "lastmodifieddate", "hs_object_id"]

    let book: ContactBook
    private(set) var changed: [Int64: Contact] = [:]
    private var changedEmails: [String: Int64] = [:]
    private var nextID: Int64
    private var lastChange: Int64 = 0

    init(book: ContactBook) {
        self.book = book
        self.nextID = ContactBook.firstID + Int64(book.count)
    }

    var count: Int {
        self.book.count + self.changed.values.reduce(0) { $0 + (self.book.index(of: $1.id) == nil ? 1 : 0) - ($1.isArchived ? 1 : 0) }
    }

    /// One past the highest id.
    var endID: Int64 { self.nextID }

    /// Archived ones included.
    func find(_ id: Int64) -> Contact? {
        if let contact = self.changed[id] { return contact }
        return self.book.index(of: id).map(self.book.contact(at:))
    }

    func find(email: String) -> Contact? {
        if let id = self.changedEmails[email.lowercased()] { return self.changed[id] }
        guard let index = self.book.index(ofEmail: email.lowercased()), self.changed[self.book.id(at: index)] == nil else { return nil }
        return self.book.contact(at: index)
    }

    mutating func create(_ properties: [String: String], now: Int64) -> Contact {
        let time = self.stamp(now)
        let contact = Contact(id: self.nextID, properties: properties, createdAt: time, modifiedAt: time, isArchived: false)
        self.nextID += 1
        self.store(contact)
        return contact
    }

    /// An empty value clears the property.
    mutating func update(_ contact: Contact, _ properties: [String: String], now: Int64) -> Contact {
        var contact = contact
        for (name, value) in properties { contact.properties[name] = value.isEmpty ? nil : value }
        contact.modifiedAt = self.stamp(now)
        self.store(contact)
        return contact
    }

    mutating func archive(_ contact: Contact, now: Int64) {
        var contact = contact
        contact.isArchived = true
        contact.modifiedAt = self.stamp(now)
        self.store(contact)
    }

    /// Changes never share a time with an earlier one, nor go back with the clock.
    private mutating func stamp(_ now: Int64) -> Int64 {
        self.lastChange = max(now, self.lastChange + 1)
        return self.lastChange
    }

    private mutating func store(_ contact: Contact) {
        if let before = self.changed[contact.id]?.properties["email"]?.lowercased() { self.changedEmails[before] = nil }
        self.changed[contact.id] = contact
        if let email = contact.properties["email"]?.lowercased(), !contact.isArchived { self.changedEmails[email] = contact.id }
    }
}
