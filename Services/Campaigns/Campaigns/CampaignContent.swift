import Foundation
import Models
import ServiceKit

/// What a member writes of a campaign.
struct CampaignContent: Sendable, Equatable {
    var name: String
    var channel: Channel
    var integrationID: IntegrationID
    var fromEmail: String
    var fromName: String?
    var replyTo: String?
    var subject: String
    var html: String?
    var text: String?
    var audience: Audience
    var inDoubtPolicy: InDoubtPolicy

    static let htmlLimit = 512 << 10
    static let textLimit = 256 << 10
}

/// Whom a campaign goes to: every contact of the organization. Segments will be another case.
enum Audience: Sendable, Equatable {
    case all

    var json: JSONValue {
        switch self {
        case .all: ["all": true]
        }
    }
}

extension CampaignContent {
    /// Reads a body field by field; with a `base` the fields that are not given stay as they are. Every fault is named at once,
    /// those inside the templates with line and column.
    init(reading body: JSONValue, over base: CampaignContent? = nil) throws {
        var reader = FieldReader(body)
        func isAsked(_ name: String) -> Bool { base == nil || reader.has(name) }
        self.name = isAsked("name") ? reader.line("name", 1...200) : base?.name ?? ""
        self.channel = isAsked("channel") ? reader.choice("channel", default: .email) : base?.channel ?? .email
        let integration = isAsked("integration_id") ? reader.integer("integration_id", 1...Int64.max) : base?.integrationID.rawValue ?? 0
        self.integrationID = IntegrationID(integration)
        self.fromEmail = isAsked("from_email") ? reader.email("from_email") : base?.fromEmail ?? ""
        self.fromName = isAsked("from_name") ? reader.optionalLine("from_name", 1...200) : base?.fromName
        self.replyTo = isAsked("reply_to") ? reader.optionalEmail("reply_to") : base?.replyTo
        self.subject = isAsked("subject") ? reader.line("subject", 1...Template.lineLimit) : base?.subject ?? ""
        self.html = isAsked("html") ? reader.optionalString("html", 1...Self.htmlLimit) : base?.html
        self.text = isAsked("text") ? reader.optionalString("text", 1...Self.textLimit) : base?.text
        self.inDoubtPolicy = isAsked("in_doubt_policy") ? reader.choice("in_doubt_policy", default: .hold) : base?.inDoubtPolicy ?? .hold
        self.audience = isAsked("audience") ? reader.audience() : base?.audience ?? .all
        self.check(with: &reader)
        try reader.finish()
    }

    private func check(with reader: inout FieldReader) {
        if self.html == nil, self.text == nil { reader.fault("html", "or text is needed") }
        for (name, value, limit) in [("html", self.html, Self.htmlLimit), ("text", self.text, Self.textLimit)] {
            if let value, value.utf8.count > limit { reader.fault(name, "must have at most \(limit) bytes") }
        }
        if self.subject.utf8.count > Template.lineLimit { reader.fault("subject", "must have at most \(Template.lineLimit) bytes") }
        reader.check("subject", self.subject, .line)
        if let html = self.html { reader.check("html", html, .html) }
        if let text = self.text { reader.check("text", text, .plain) }
    }
}

extension FieldReader {
    /// `{"all": true}` is the one audience so far.
    fileprivate mutating func audience() -> Audience {
        self.fields("audience") { reader in
            if !reader.boolean("all", default: false) { reader.fault("all", "must be true") }
            return Audience.all
        }
    }

    fileprivate mutating func check(_ name: String, _ text: String, _ style: Template.Style) {
        do {
            _ = try Template(parsing: text, style: style)
        } catch {
            for fault in error.faults { self.fault(name, fault.description) }
        }
    }
}
