import Foundation
import Models

/// What goes wrong in the middle of a campaign.
package enum Fault: String, Sendable, CaseIterable {
    case killGateway = "kill gateway"
    case killIntegrations = "kill integrations"
    case killCampaigns = "kill campaigns"
    case killWebhooks = "kill webhooks"
    case freezeCampaigns = "freeze campaigns"
    case freezeIntegrations = "freeze integrations"
    case crashPostgres = "crash Postgres"
}

/// One campaign with one fault in the middle of it, and the ledger afterwards: who got how many messages, who is in doubt.
package struct FaultRun: Sendable {
    package let stack: Stack
    package let fault: Fault
    package let name: String
    /// Longer than every lease of the stack, shorter than the patience of the run.
    package let freeze: Duration

    package init(stack: Stack, fault: Fault, name: String, freeze: Duration) {
        self.stack = stack
        self.fault = fault
        self.name = name
        self.freeze = freeze
    }

    /// Leases short enough that a run need not wait for minutes. The call time-out stays below the lease.
    package static let environment = [
        "SEND_LEASE": "6", "SMTP_REPLY_TIMEOUT": "4", "SYNC_LEASE": "8", "ZAPIER_WEBHOOK_TIMEOUT": "5",
        "WEBHOOK_RETRY_SCHEDULE": "0,0.5,1,2,5,5,5,5",
    ]

    package func run() async throws -> DemoJob.Summary {
        try await PublicAPI.using(self.stack.settings.gatewayURL) { door in
            try await PublicAPI.using(self.stack.settings.sandboxURL) { sandbox in try await self.run(door, sandbox) }
        }
    }

    private func run(_ door: PublicAPI, _ sandbox: PublicAPI) async throws -> DemoJob.Summary {
        let job = DemoJob(stack: self.stack, name: self.name)
        try await self.stack.renewSink()
        var summary = DemoJob.Summary()
        let credentials = try await job.signUp(
            door,
            email: "owner-\(self.name)@demo.example",
            password: "correct horse battery \(self.name)"
        )
        let api = door.signed(Secret(credentials.accessToken))
        summary.contactsSynced = try await job.syncContacts(api)
        try await job.subscribe(api, sandbox: sandbox)
        let campaign = try await job.startCampaign(api)
        try await self.waitForTheMiddle(api, campaign)
        try await self.strike()
        try await job.waitUntilSent(api, campaign: campaign)
        summary.isWebhookVerified = try await job.waitForWebhook(sandbox)
        try await job.compare(api, campaign: campaign, into: &summary)
        return summary
    }

    /// Until some tenth to some half of the messages are out: the share differs from run to run.
    private func waitForTheMiddle(_ api: PublicAPI, _ campaign: Int64) async throws {
        let share = Double.random(in: 0.1...0.5)
        try await LocalWait.until("the middle of the campaign", within: .seconds(120), every: .milliseconds(100)) { () -> Void? in
            let state = try await api.call(.get, "/api/v1/campaigns/\(campaign)")
            let accepted = Double(state["counts"]?["accepted"]?.integerValue ?? 0)
            return accepted >= share * Double(self.stack.settings.contacts) ? () : nil
        }
    }

    private func strike() async throws {
        switch self.fault {
        case .killGateway: try await self.killAndRestart(.gateway)
        case .killIntegrations: try await self.killAndRestart(.integrations)
        case .killCampaigns: try await self.killAndRestart(.campaigns)
        case .killWebhooks: try await self.killAndRestart(.webhooks)
        case .freezeCampaigns: try await self.freeze(.campaigns)
        case .freezeIntegrations: try await self.freeze(.integrations)
        case .crashPostgres:
            try await self.stack.postgres.stop(.immediate)
            try await Task.sleep(for: .seconds(1))
            try await self.stack.postgres.start()
        }
    }

    private func killAndRestart(_ service: ServiceName) async throws {
        await self.stack.kill(service)
        try await Task.sleep(for: .milliseconds(500))
        try await self.stack.launch(service)
        try await self.stack.waitUntilReady(service)
    }

    /// SIGSTOP beyond the lease, then SIGCONT: what wakes up must find that its claims are no longer its own.
    private func freeze(_ service: ServiceName) async throws {
        let process = await self.stack.process(service)
        process?.signal(SIGSTOP)
        try await Task.sleep(for: self.freeze)
        process?.signal(SIGCONT)
    }
}
