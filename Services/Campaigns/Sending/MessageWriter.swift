import Models

/// Renders the messages of a batch straight into the JSON of the contract (``SendBatch``): once each, however often they are posted.
struct MessageWriter: Sendable {
    private let letter: Letter
    private let subject: Template
    private let html: Template?
    private let text: Template?

    init(_ letter: Letter) throws(TemplateFaults) {
        self.letter = letter
        self.subject = try Template(parsing: letter.subject, style: .line)
        if let html = letter.html { self.html = try Template(parsing: html, style: .html) } else { self.html = nil }
        if let text = letter.text { self.text = try Template(parsing: text, style: .plain) } else { self.text = nil }
    }

    /// nil when a part renders beyond ``Template/renderedLimit``.
    func json(of message: ClaimedMessage) -> [UInt8]? {
        guard let subject = self.subject.render(message.values) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(self.letter.size + 512)
        Self.member("{\"send_key\":", message.sendKey, &bytes)
        Self.member(",\"to_address\":", message.address, &bytes)
        Self.member(",\"to_name\":", Self.name(message.values), &bytes)
        Self.member(",\"from_address\":", self.letter.fromEmail, &bytes)
        Self.member(",\"from_name\":", self.letter.fromName, &bytes)
        Self.member(",\"reply_to\":", self.letter.replyTo, &bytes)
        Self.member(",\"subject\":", subject, &bytes)
        for (member, template) in [(",\"html\":" as StaticString, self.html), (",\"text\":", self.text)] {
            guard let template else { continue }
            guard let rendered = template.render(message.values) else { return nil }
            Self.member(member, rendered, &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// Bodies of ``SendBatch`` of at most `limit` bytes each (a single larger message goes alone).
    static func bodies(_ messages: [[UInt8]], of batch: ClaimedBatch, limit: Int) -> [[UInt8]] {
        let head = Array(
            "{\"organization_id\":\(batch.campaign.organization),\"integration_id\":\(batch.letter.integrationID),\"messages\":[".utf8
        )
        var bodies: [[UInt8]] = []
        var body = head
        for message in messages {
            if body.count > head.count {
                if body.count + message.count + 3 > limit {
                    bodies.append(body + "]}".utf8)
                    body = head
                } else {
                    body.append(UInt8(ascii: ","))
                }
            }
            body.append(contentsOf: message)
        }
        if body.count > head.count { bodies.append(body + "]}".utf8) }
        return bodies
    }

    private static func member(_ name: StaticString, _ value: String?, _ bytes: inout [UInt8]) {
        guard let value else { return }
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        JSONText.writeString(value, into: &bytes)
    }

    private static func name(_ values: TemplateValues) -> String? {
        let name = [values.firstName, values.lastName].compactMap { $0 }.joined(separator: " ")
        return name.isEmpty ? nil : name
    }
}
