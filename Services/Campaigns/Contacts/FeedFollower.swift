import Database
import Logging
import Models
import ServiceKit
import ServiceLifecycle
import Synchronization

/// Pulls the change feed of every organization that has more than was applied. Woken by nudges, and looking for itself every few seconds.
struct FeedFollower: Sendable {
    private static let pageLimit = 1000
    private static let headLimit = 1000

    let feed: FeedStore
    let integrations: ServiceClient
    let backlog: FeedBacklog
    let wake: WakeSignal
    let logger: Logger

    func loop(poll: Duration) -> WorkLoop<OrganizationID> {
        WorkLoop(
            "feed",
            wake: self.wake,
            poll: poll,
            concurrency: 4,
            logger: self.logger,
            claim: { limit in
                if self.backlog.isLookDue(every: poll) { self.backlog.add(try await self.organizationsBehind()) }
                return self.backlog.take(limit)
            },
            work: { organization in
                // A nudge may have come while the organization was in hand: the loop is woken for it.
                defer { if self.backlog.finish(organization) { self.wake.wakeHere() } }
                try await self.follow(organization)
            }
        )
    }

    func organizationsBehind() async throws -> [OrganizationID] {
        var behind: [OrganizationID] = []
        var after: OrganizationID?
        while true {
            let page = try await self.integrations.call(
                .readChangeHeads,
                query: [("after_organization", String(after?.rawValue ?? 0)), ("limit", String(Self.headLimit))],
                isIdempotent: true,
                as: ChangeHeads.self
            )
            behind += try await self.feed.behind(page.heads)
            guard page.heads.count == Self.headLimit, let last = page.heads.last else { return behind }
            after = last.organizationID
        }
    }

    /// Applies page after page until the head is reached or the process stops.
    func follow(_ organization: OrganizationID) async throws {
        while !Task.isShuttingDownGracefully {
            let position = try await self.feed.position(of: organization)
            let page = try await self.integrations.call(
                .readChanges,
                query: [
                    ("organization_id", String(organization.rawValue)), ("after", String(position)), ("limit", String(Self.pageLimit)),
                ],
                isIdempotent: true,
                as: ChangePage.self
            )
            guard let last = page.changes.map(\.position).max() else { return }
            guard page.changes.allSatisfy({ $0.position > position }) else { throw FeedError.positionsRepeated }
            let applied = try await self.feed.apply(FeedPage(page.changes), of: organization, from: position, to: last)
            if applied, last >= page.head { return }
        }
    }
}

enum FeedError: Error {
    /// Integrations answered changes at or before the position that it was asked to go on from.
    case positionsRepeated
}

/// Organizations that wait to be followed in this process: each once, and once more when it was nudged while in hand.
final class FeedBacklog: Sendable {
    private struct State {
        var waiting: [OrganizationID] = []
        var isWaiting: Set<OrganizationID> = []
        var inHand: Set<OrganizationID> = []
        var lastLook: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    func add(_ organizations: [OrganizationID]) {
        self.state.withLock { state in
            for organization in organizations where state.isWaiting.insert(organization).inserted { state.waiting.append(organization) }
        }
    }

    /// Organizations in hand stay waiting: their turn comes when the present one is over.
    func take(_ limit: Int) -> [OrganizationID] {
        self.state.withLock { state in
            let inHand = state.inHand
            let organizations = Array(state.waiting.lazy.filter { !inHand.contains($0) }.prefix(limit))
            state.inHand.formUnion(organizations)
            state.isWaiting.subtract(organizations)
            state.waiting.removeAll { organizations.contains($0) }
            return organizations
        }
    }

    /// True when the organization is waiting again.
    func finish(_ organization: OrganizationID) -> Bool {
        self.state.withLock { state in
            state.inHand.remove(organization)
            return state.isWaiting.contains(organization)
        }
    }

    /// True once per interval: the caller then looks at the heads.
    func isLookDue(every interval: Duration, now: ContinuousClock.Instant = .now) -> Bool {
        self.state.withLock { state in
            if let last = state.lastLook, last.duration(to: now) < interval { return false }
            state.lastLook = now
            return true
        }
    }
}
