import Models

extension MailTexts {
    /// To a member whose address is proved. Titles hold names that members of their own organization chose.
    /// - isLastToday: further notices of the kind stand in the feed alone for a day.
    func notice(_ notice: Notice, in organization: String, to email: String, isLastToday: Bool) -> Mail {
        let organization = NoticeText.line(organization, limit: 200)
        let parts = [
            "Hello,",
            "\(notice.title) (\(organization)).",
            notice.detail,
            Self.advice(on: notice.kind),
            isLastToday
                ? "There were many notices of this kind today. Further ones are not mailed for a day; all of them are in the feed." : "",
            "All notices: \(self.publicURL)/notifications. Over the API: GET /api/v1/notifications.",
            """
            You get this as a member of \(organization). To get no more mail of this kind:
            PUT /api/v1/notifications/settings with {"kinds": {"\(notice.kind.rawValue)": {"mail": false}}}.
            """,
        ]
        return Mail(
            kind: "notice",
            recipient: email,
            subject: notice.title,
            text: parts.filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n",
            lifetime: 86_400
        )
    }

    /// What to do about it.
    private static func advice(on kind: NoticeKind) -> String {
        switch kind {
        case .integrationFailed:
            "Until it works again, nothing is synced or sent through it. Give it new credentials, or test it once the provider takes the old ones."
        case .integrationRecovered: "Syncs and messages go through it again."
        case .webhookDisabled: "It gets no more events. To go on, subscribe its URL again."
        case .campaignFailed: "Look at the reasons beside its messages before you send it again."
        case .campaignInDoubt: "They are not sent again by themselves. Look at them in the campaign's list of messages."
        case .quotaWarning: "Once all of it is used, requests are answered with 429 until the hour is over."
        case .quotaReached: "Requests are answered with 429 until the hour is over."
        }
    }
}
