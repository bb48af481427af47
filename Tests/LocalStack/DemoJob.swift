import Models

/// The main job, over the public API alone: a team signs up, connects its CRM, its contacts sync, a campaign reaches each of them by SMTP,
/// and a signed webhook tells that it was sent.
package struct DemoJob: Sendable {
    package struct Credentials: Codable, Sendable {
        package var email: String
        package var password: String
        package var apiKey: String
        /// Of the session that signing up began: members are not counted against an API key's rate limit.
        package var accessToken: String
    }

    /// What the job did, as counted by the receiving ends.
    package struct Summary: Sendable {
        package var contactsExpected = 0
        package var contactsSynced = 0
        package var messagesAtSink = 0
        package var missing: [String] = []
        package var duplicated: [String] = []
        package var inDoubt: [String] = []
        package var accepted = 0
        package var isWebhookVerified = false
        /// The subscription's signing secret, which tests search logs and tables for.
        package var webhookSecret: String?
        package var seconds: [(step: String, seconds: Double)] = []

        /// Nobody was left out without being listed, nobody was reached twice.
        package var isExact: Bool {
            self.missing.isEmpty && self.duplicated.isEmpty && self.isWebhookVerified && self.contactsSynced == self.contactsExpected
        }
    }

    package let stack: Stack
    /// Tells this job's organization, mail and webhook from those of other runs on the same stack.
    package let name: String
    package let report: @Sendable (String) -> Void

    package init(stack: Stack, name: String, report: @escaping @Sendable (String) -> Void = { _ in }) {
        self.stack = stack
        self.name = name
        self.report = report
    }

    var settings: StackSettings { self.stack.settings }

    // MARK: - Sign-up

    /// Makes the workspace with an owner and an API key.
    package func signUp(_ door: PublicAPI, email: String, password: String) async throws -> Credentials {
        let account = try await door.call(
            .post,
            "/api/v1/auth/register",
            [
                "email": .string(email), "password": .string(password), "name": "Demo Owner",
                "organization_name": .string("Demo \(self.name)"),
            ]
        )
        let owner = door.signed(Secret(account["access_token"]?.stringValue ?? ""))
        let key = try await owner.call(
            .post,
            "/api/v1/api/keys",
            [
                "name": "demo", "role": "admin",
                "scopes": .array(Scope.allCases.map { .string($0.rawValue) }),
            ]
        )
        return Credentials(
            email: email,
            password: password,
            apiKey: key["key"]?.stringValue ?? "",
            accessToken: account["access_token"]?.stringValue ?? ""
        )
    }

    // MARK: - Steps

    /// Connects the CRM and waits until every contact has come through the sync and the change feed.
    package func syncContacts(_ api: PublicAPI) async throws -> Int {
        let expected = self.settings.contacts
        let connection = try await api.call(
            .post,
            "/api/v1/integrations",
            ["provider": "hubspot", "name": "Sandbox CRM", "config": ["access_token": .string(Self.hubSpotToken)]],
            key: "\(self.name)-crm"
        )
        let id = connection["id"]?.integerValue ?? 0
        try await LocalWait.until("the sync of \(expected) contacts", within: .seconds(300), every: .milliseconds(200)) { () -> Void? in
            let runs = try await self.tolerant { try await api.call(.get, "/api/v1/integrations/\(id)/syncs?limit=1") }
            let run = runs?["data"]?.arrayValue?.first
            self.report("synced \(run?["fetched"]?.integerValue ?? 0) of \(expected)")
            return run?["state"]?.stringValue == "succeeded" ? () : nil
        }
        return try await LocalWait.until("the contacts to arrive", within: .seconds(120), every: .milliseconds(300)) { () -> Int? in
            let total = try await self.tolerant { try await api.all("/api/v1/contacts").count } ?? 0
            self.report("contacts in campaigns: \(total) of \(expected)")
            return total >= expected ? total : nil
        }
    }

    /// The receiver that the webhook goes to, in the sandbox.
    private var receiver: String { "/_sandbox/receiver/\(self.name)" }

    /// Subscribes the receiver and tells it the signing secret, which is answered.
    @discardableResult
    package func subscribe(_ api: PublicAPI, sandbox: PublicAPI) async throws -> String {
        let subscription = try await api.call(
            .post,
            "/api/v1/zapier/webhooks",
            ["webhook_url": .string(self.settings.sandboxURL + self.receiver), "trigger_event": "campaign_sent"],
            key: "\(self.name)-webhook"
        )
        let secret = subscription["secret"]?.stringValue ?? ""
        try await sandbox.call(.put, self.receiver, ["secret": .string(secret)])
        return secret
    }

    /// Connects the mail sink as an SMTP server, makes the campaign and starts it. Answers the campaign's id.
    package func startCampaign(_ api: PublicAPI) async throws -> Int64 {
        let mail = try await api.call(
            .post,
            "/api/v1/integrations",
            [
                "provider": "smtp", "name": "Mail sink",
                "config": ["host": "127.0.0.1", "port": .integer(Int64(self.settings.sinkPort)), "security": "none"],
            ],
            key: "\(self.name)-smtp"
        )
        let campaign = try await api.call(
            .post,
            "/api/v1/campaigns",
            [
                "name": .string("Demo \(self.name)"), "channel": "email", "integration_id": .integer(mail["id"]?.integerValue ?? 0),
                "from_email": "news@demo.example", "from_name": "Demo", "audience": ["all": true],
                "subject": "Hello {{first_name|there}}",
                "text": .string("Hello {{first_name|there}} of {{company|your company}},\nthis is \(self.mark).\n"),
                "html": .string("<p>Hello {{first_name|there}},</p><p>this is \(self.mark).</p>"),
            ],
            key: "\(self.name)-campaign"
        )
        let id = campaign["id"]?.integerValue ?? 0
        try await api.call(.post, "/api/v1/campaigns/\(id)/send", [:], key: "\(self.name)-send")
        return id
    }

    /// Stands in every message of this job's campaign.
    package var mark: String { "mailing-\(self.name)-end" }

    package func waitForWebhook(_ sandbox: PublicAPI) async throws -> Bool {
        try await LocalWait.until("the webhook", within: .seconds(120), every: .milliseconds(100)) { () -> Bool? in
            let state = try await sandbox.call(.get, self.receiver)
            let verified = state["verified"]?.integerValue ?? 0
            let unverified = state["unverified"]?.integerValue ?? 0
            return verified + unverified == 0 ? nil : verified > 0 && unverified == 0
        }
    }

    /// Holds the sink's file against the list of the campaign's messages.
    package func compare(_ api: PublicAPI, campaign: Int64, into summary: inout Summary) async throws {
        guard let mail = await self.stack.mail else { return }
        let counts = try mail.messages(marked: self.mark)
        let messages = try await api.all("/api/v1/campaigns/\(campaign)/messages")
        summary.messagesAtSink = counts.values.reduce(0, +)
        summary.duplicated = counts.filter { $0.value > 1 }.map(\.key).sorted()
        var inDoubt: Set<String> = []
        var everyone: Set<String> = []
        for message in messages {
            let address = message["address"]?.stringValue ?? ""
            everyone.insert(address)
            switch message["state"]?.stringValue {
            case "in_doubt": inDoubt.insert(address)
            case "accepted": summary.accepted += 1
            default: break
            }
        }
        summary.inDoubt = inDoubt.sorted()
        summary.missing = everyone.filter { counts[$0] == nil && !inDoubt.contains($0) }.sorted()
        summary.contactsExpected = self.settings.contacts
        if everyone.count < self.settings.contacts {
            summary.missing.append("\(self.settings.contacts - everyone.count) without a message")
        }
    }

    /// nil while a process is away: the fault runs kill them on purpose.
    func tolerant<Value>(_ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch let refusal as PublicAPI.Refusal where refusal.status >= 500 {
            return nil
        } catch is CancellationError {
            throw CancellationError()
        } catch  where !(error is PublicAPI.Refusal) {
            return nil
        }
    }

    /// The private-app token that the sandbox CRM takes.
    package static let hubSpotToken = "pat-na1-sandbox-demo-token"
}
