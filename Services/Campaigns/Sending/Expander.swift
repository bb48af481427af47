import Database
import Logging
import Models
import ServiceKit
import ServiceLifecycle

/// A campaign that this worker makes messages for.
struct Preparation: Sendable, RowDecodable {
    var campaign: CampaignKey
    var fence: Int64

    init(row: Row) throws {
        self.campaign = CampaignKey(organization: try row.get("organization_id"), id: try row.get("id"))
        self.fence = try row.get("fence")
    }
}

/// Starts campaigns whose time has come and expands their audiences into messages, chunk by chunk.
struct Expander: Sendable {
    let store: ExpansionStore
    let completion: Completion
    let logger: Logger

    func loop(wake: WakeSignal) -> WorkLoop<Preparation> {
        WorkLoop(
            "prepare",
            wake: wake,
            poll: .seconds(1),
            concurrency: 2,
            logger: self.logger,
            claim: { limit in try await self.store.claim(limit) },
            work: { preparation in try await self.expand(preparation) },
            handBack: { preparation in try await self.store.release(preparation) }
        )
    }

    func expand(_ preparation: Preparation) async throws {
        while true {
            switch try await self.store.expandChunk(preparation) {
            case .more:
                // What is done is kept: another replica goes on from the cursor.
                if Task.isShuttingDownGracefully { return try await self.store.release(preparation) }
            case .finished:
                // An audience without anybody to write to is sent at once.
                _ = try await self.completion.complete(preparation.campaign)
                return
            case .lost: return
            }
        }
    }
}
