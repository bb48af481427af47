package import Foundation

// Outbox relay → gateway (`POST /internal/notices`). Idempotent by id: a repeat is answered like the first, 200 with an ``IntakeReceipt``
// once all is stored.

/// What members are told of. A closed set: each kind has its audience, its words in mails and its place in the settings.
package enum NoticeKind: String, Codable, CaseIterable, Sendable {
    /// A provider refuses an integration's credentials: nothing comes or goes until somebody acts.
    case integrationFailed = "integration_failed"
    /// It works again.
    case integrationRecovered = "integration_recovered"
    /// A subscription's target will not be called any more.
    case webhookDisabled = "webhook_disabled"
    /// A campaign came to its end without one message accepted.
    case campaignFailed = "campaign_failed"
    /// A campaign came to its end with messages of which nobody knows whether they arrived.
    case campaignInDoubt = "campaign_in_doubt"
    /// 80 % of an hourly limit are used.
    case quotaWarning = "quota_warning"
    /// All of it is used.
    case quotaReached = "quota_reached"

    /// Who raises it.
    package var service: ServiceName {
        switch self {
        case .integrationFailed, .integrationRecovered: .integrations
        case .webhookDisabled: .webhooks
        case .campaignFailed, .campaignInDoubt: .campaigns
        case .quotaWarning, .quotaReached: .gateway
        }
    }

    /// Whose roles get it: those who may do something about it.
    package var audience: Set<Role> {
        switch self {
        case .campaignFailed, .campaignInDoubt: [.editor, .admin, .owner]
        case .integrationFailed, .integrationRecovered, .webhookDisabled, .quotaWarning, .quotaReached: [.admin, .owner]
        }
    }

    package static func kinds(for role: Role) -> [NoticeKind] { self.allCases.filter { $0.audience.contains(role) } }
}

/// What a notice is about.
package struct NoticeSubject: Codable, Sendable, Equatable {
    /// `integration`, `campaign`, `subscription`, `api_key` or `organization`.
    package var type: String
    package var id: String
    /// For people; one line.
    package var name: String

    package init(_ type: String, _ id: some CustomStringConvertible, _ name: String) {
        self.type = type
        self.id = id.description
        self.name = NoticeText.line(name, limit: NoticeText.nameLimit)
    }
}

/// A fact that members should know of: in their feed, and by mail unless they chose otherwise.
package struct Notice: Codable, Sendable, Equatable {
    /// `ntc_` and a UUIDv7.
    package var id: String
    package var organizationID: OrganizationID
    package var kind: NoticeKind
    package var service: ServiceName
    package var subject: NoticeSubject
    /// What happened, in one line without secrets.
    package var title: String
    /// Why, and what follows from it; one paragraph without secrets, or empty.
    package var detail: String
    /// Names one trouble, `integration:5`: what repeats within a day is told once and counted.
    package var key: String
    package var timestamp: Date

    /// Texts are made fit here: control characters and the like become spaces, what is too long is cut.
    package init(
        id: String,
        organizationID: OrganizationID,
        kind: NoticeKind,
        subject: NoticeSubject,
        title: String,
        detail: String,
        key: String,
        timestamp: Date
    ) {
        self.id = id
        self.organizationID = organizationID
        self.kind = kind
        self.service = kind.service
        self.subject = subject
        self.title = NoticeText.line(title, limit: NoticeText.titleLimit)
        self.detail = NoticeText.line(detail, limit: NoticeText.detailLimit)
        self.key = key
        self.timestamp = timestamp
    }

    package enum CodingKeys: String, CodingKey {
        case id, kind, service, subject, title, detail, key, timestamp
        case organizationID = "organization_id"
    }

    /// Every fault of a notice that came from outside of this process; none where ``init`` made it.
    package func faults(at pointer: String) -> [Problem.Fault] {
        var faults: [Problem.Fault] = []
        func check(_ isRight: Bool, _ member: String, _ detail: String) {
            if !isRight { faults.append(Problem.Fault(pointer: "\(pointer)/\(member)", detail: detail)) }
        }
        check(self.id.wholeMatch(of: /ntc_[0-9a-f]{32}/) != nil, "id", "must be ntc_ and 32 hexadecimal digits")
        check(self.service == self.kind.service, "kind", "is not raised by \(self.service.rawValue)")
        check(self.subject.type.wholeMatch(of: /[a-z_]{1,32}/) != nil, "subject/type", "must be a machine word")
        check(self.subject.id.wholeMatch(of: /[0-9A-Za-z_:-]{1,64}/) != nil, "subject/id", "must be an id")
        check(NoticeText.isLine(self.subject.name, limit: NoticeText.nameLimit), "subject/name", "must be one clean line")
        check(!self.title.isEmpty && NoticeText.isLine(self.title, limit: NoticeText.titleLimit), "title", "must be one clean line")
        check(NoticeText.isLine(self.detail, limit: NoticeText.detailLimit), "detail", "must be clean text")
        check(self.key.wholeMatch(of: /[0-9A-Za-z_:-]{1,200}/) != nil, "key", "must be 1 to 200 letters, digits, _, : or -")
        return faults
    }
}

package struct NoticeBatch: Codable, Sendable {
    package var notices: [Notice]

    package init(notices: [Notice]) { self.notices = notices }
}

/// Text that may hold what strangers wrote, made fit for columns, mails and people.
package enum NoticeText {
    // Lengths in Unicode scalars.
    package static let nameLimit = 200
    package static let titleLimit = 300
    package static let detailLimit = 1000

    /// One line: control and format characters (directional overrides among them), line ends and runs of spaces become one space.
    package static func line(_ text: String, limit: Int) -> String {
        var line = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if !self.isSpace(scalar) {
                line.append(scalar)
            } else if let last = line.last, last != " " {
                line.append(" ")
            }
        }
        if line.last == " " { line.removeLast() }
        guard line.count > limit else { return String(line) }
        var cut = String.UnicodeScalarView(line.prefix(limit - 1))
        if cut.last == " " { cut.removeLast() }
        cut.append("…")
        return String(cut)
    }

    static func isLine(_ text: String, limit: Int) -> Bool {
        self.line(text, limit: limit).unicodeScalars.elementsEqual(text.unicodeScalars)
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .unassigned, .privateUse, .surrogate: true
        default: false
        }
    }
}
