import Models

/// The body of `POST /v3/mail/send`: one personalization, so that recipients never see each other, with the send key in `custom_args`,
/// which come back in every event of SendGrid.
enum SendGridMail {
    static func body(of message: EmailMessage) -> JSONValue {
        var members: [String: JSONValue] = [
            "personalizations": [
                [
                    "to": [address(message.toAddress, message.toName)],
                    "custom_args": ["send_key": .string(message.sendKey)],
                ]
            ],
            "from": address(message.fromAddress, message.fromName),
            "subject": .string(MailHeader.singleLine(message.subject)),
            "content": .array(content(of: message)),
        ]
        if let replyTo = message.replyTo { members["reply_to"] = address(replyTo, nil) }
        return .object(members)
    }

    /// text/plain comes first, SendGrid insists.
    private static func content(of message: EmailMessage) -> [JSONValue] {
        var parts: [JSONValue] = []
        if let text = message.text { parts.append(["type": "text/plain", "value": .string(text)]) }
        if let html = message.html { parts.append(["type": "text/html", "value": .string(html)]) }
        return parts
    }

    private static func address(_ email: String, _ name: String?) -> JSONValue {
        var members: [String: JSONValue] = ["email": .string(email)]
        // SendGrid takes neither semicolon nor comma in a name.
        let name = MailHeader.singleLine(name ?? "").filter { $0 != ";" && $0 != "," }
        if !name.isEmpty { members["name"] = .string(name) }
        return .object(members)
    }
}
