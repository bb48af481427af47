import Database
import Foundation
import Logging
import Models
import ServiceKit

/// Tells members and webhooks of limits that are nearly or wholly used: each crossing once, whichever replica comes first.
struct QuotaTeller: Sendable {
    private static let poll = Duration.seconds(10)

    let crossings: QuotaCrossingStore
    let notices: NoticeStore
    let outbox: Outbox
    let wake: WakeSignal
    let logger: Logger

    /// No lease: a crossing is told in one transaction, and who comes second finds it told.
    func loop() -> WorkLoop<QuotaCrossing> {
        WorkLoop(
            "quota_warnings",
            wake: self.wake,
            poll: Self.poll,
            concurrency: 4,
            logger: self.logger,
            claim: { try await self.crossings.due($0) },
            work: { try await self.tell($0) }
        )
    }

    func tell(_ crossing: QuotaCrossing) async throws {
        try await self.crossings.database.transaction { transaction in
            guard try self.crossings.settle(crossing, transaction),
                let names = try self.crossings.names(for: crossing, transaction)
            else { return }
            try self.outbox.append(
                .apiKeyQuotaWarning,
                crossing.eventData(keyName: names.key),
                for: crossing.organization,
                in: transaction
            )
            let notice = crossing.notice(EventID.make("ntc"), keyName: names.key, organizationName: names.organization, at: Date())
            try self.notices.raise([notice], transaction)
        }
    }
}
