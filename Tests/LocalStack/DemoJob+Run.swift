import Models

extension DemoJob {
    /// The whole job from sign-up to the verified webhook.
    package func run(email: String, password: String) async throws -> (Credentials, Summary) {
        try await PublicAPI.using(self.stack.settings.gatewayURL) { door in
            try await PublicAPI.using(self.stack.settings.sandboxURL) { sandbox in
                try await self.run(email: email, password: password, door: door, sandbox: sandbox)
            }
        }
    }

    private func run(email: String, password: String, door: PublicAPI, sandbox: PublicAPI) async throws -> (Credentials, Summary) {
        var summary = Summary()
        let credentials = try await timed("sign up", &summary) { try await self.signUp(door, email: email, password: password) }
        let api = door.signed(Secret(credentials.accessToken))
        summary.contactsSynced = try await timed("sync contacts", &summary) { try await self.syncContacts(api) }
        summary.webhookSecret = try await self.subscribe(api, sandbox: sandbox)
        let campaign = try await timed("send campaign", &summary) {
            let campaign = try await self.startCampaign(api)
            try await self.waitUntilSent(api, campaign: campaign)
            return campaign
        }
        summary.isWebhookVerified = try await timed("webhook", &summary) { try await self.waitForWebhook(sandbox) }
        try await self.compare(api, campaign: campaign, into: &summary)
        return (credentials, summary)
    }

    private func timed<Value>(_ step: String, _ summary: inout Summary, _ body: () async throws -> Value) async throws -> Value {
        let start = ContinuousClock.now
        let value = try await body()
        summary.seconds.append((step, (ContinuousClock.now - start) / .seconds(1)))
        return value
    }
}
