import Models

/// A mail/send body, checked as SendGrid checks it.
struct MailCheck {
    static let mostRecipients = 1000
    static let longestCustomArgs = 10_000

    private(set) var faults: [SendGridError.Item] = []
    /// Every to, cc and bcc, with the send_key that its personalization or the whole mail carries.
    private(set) var recipients: [MailBook.Recipient] = []
    private(set) var isSandboxMode = false

    init(_ body: JSONValue) {
        self.isSandboxMode = body["mail_settings"]?["sandbox_mode"]?["enable"]?.boolValue ?? false
        self.checkSender(body)
        self.checkPersonalizations(body)
        self.checkSubject(body)
        self.checkContent(body)
    }

    private mutating func fault(_ message: String, _ field: String) { self.faults.append(.init(message: message, field: field)) }

    private mutating func checkSender(_ body: JSONValue) {
        guard let email = body["from"]?["email"]?.stringValue else {
            return self.fault(
                "The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a "
                    + "name parameter.  e.g. {\"email\" : \"example@example.com\"}  or {\"email\" : \"example@example.com\", \"name\" : \"Example "
                    + "Recipient\"}.",
                "from.email"
            )
        }
        if !Self.isAddress(email) { self.fault("The from email does not contain a valid address.", "from.email") }
        if body["reply_to"] != nil, body["reply_to_list"] != nil {
            self.fault("The reply_to and reply_to_list parameters cannot be used together.", "reply_to_list")
        }
        if let reply = body["reply_to"], !Self.isAddress(reply["email"]?.stringValue ?? "") {
            self.fault("The reply_to email does not contain a valid address.", "reply_to.email")
        }
    }

    private mutating func checkPersonalizations(_ body: JSONValue) {
        guard let personalizations = body["personalizations"]?.arrayValue, !personalizations.isEmpty else {
            return self.fault("The personalizations field is required and must have at least one personalization.", "personalizations")
        }
        for (index, personalization) in personalizations.enumerated() {
            self.check(personalization, at: "personalizations.\(index)", body["custom_args"]?["send_key"]?.stringValue)
        }
        if personalizations.count > 1000 {
            self.fault("There are too many personalizations: at most 1000 are allowed.", "personalizations")
        }
        if self.recipients.count > Self.mostRecipients {
            self.fault("The total number of recipients must be no more than \(Self.mostRecipients).", "personalizations")
        }
        self.checkCustomArgs(body["custom_args"], "custom_args")
    }

    private mutating func check(_ personalization: JSONValue, at field: String, _ mailKey: String?) {
        guard let receivers = personalization["to"]?.arrayValue, !receivers.isEmpty else {
            return self.fault(
                "The to array is required for all personalization objects, and must have at least one email object with a valid email address.",
                "\(field).to"
            )
        }
        let sendKey = personalization["custom_args"]?["send_key"]?.stringValue ?? mailKey
        var seen: Set<String> = []
        for list in ["to", "cc", "bcc"] {
            for (index, item) in (personalization[list]?.arrayValue ?? []).enumerated() {
                let email = item["email"]?.stringValue ?? ""
                if !Self.isAddress(email) { self.fault("Does not contain a valid address.", "\(field).\(list).\(index).email") }
                if !seen.insert(email.lowercased()).inserted {
                    self.fault(
                        "Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate "
                            + "instance of [\(email)] in the \(field).\(list) field.",
                        "\(field).\(list)"
                    )
                }
                self.recipients.append(.init(address: email.lowercased(), sendKey: sendKey))
            }
        }
        self.checkCustomArgs(personalization["custom_args"], "\(field).custom_args")
    }

    private mutating func checkCustomArgs(_ value: JSONValue?, _ field: String) {
        guard let value else { return }
        guard let members = value.objectValue, members.values.allSatisfy({ $0.stringValue != nil }) else {
            return self.fault("The custom_args must be an object of strings.", field)
        }
        if value.serialized().count >= Self.longestCustomArgs {
            self.fault("The custom_args must be less than \(Self.longestCustomArgs) bytes.", field)
        }
    }

    private mutating func checkSubject(_ body: JSONValue) {
        if body["template_id"]?.stringValue != nil || !(body["subject"]?.stringValue ?? "").isEmpty { return }
        let personalizations = body["personalizations"]?.arrayValue ?? []
        if !personalizations.isEmpty, personalizations.allSatisfy({ !($0["subject"]?.stringValue ?? "").isEmpty }) { return }
        self.fault(
            "The subject is required. You can get around this requirement if you use a template with a subject defined or if every "
                + "personalization has a subject defined.",
            "subject"
        )
    }

    private mutating func checkContent(_ body: JSONValue) {
        guard let blocks = body["content"]?.arrayValue, !blocks.isEmpty else {
            if body["template_id"]?.stringValue != nil { return }
            return self.fault(
                "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block. We "
                    + "typically suggest both text/plain and text/html blocks are included, but only one block is required.",
                "content"
            )
        }
        for (index, block) in blocks.enumerated() {
            if (block["type"]?.stringValue ?? "").isEmpty {
                self.fault("The content type must be a string at least one character in length.", "content.\(index).type")
            }
            if (block["value"]?.stringValue ?? "").isEmpty {
                self.fault("The content value must be a string at least one character in length.", "content.\(index).value")
            }
        }
        let types = blocks.compactMap { $0["type"]?.stringValue }
        if let plain = types.firstIndex(of: "text/plain"), plain > 0 {
            self.fault("If present, text/plain must be the first content type, followed by text/html.", "content.\(plain).type")
        }
    }

    /// One @, something before it without spaces, a domain of labels after it; no Unicode, as SendGrid has it.
    static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, text.utf8.count <= 254, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return false
        }
        let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        return labels.count >= 2 && labels.allSatisfy { !$0.isEmpty }
    }
}
