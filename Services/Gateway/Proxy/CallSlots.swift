import Models
import Synchronization

/// How many forwarded calls an organization may have under way at this gateway, so that one whose calls take long does not keep the others' from
/// their owner: all calls to the inside share one pool of connections (`HTTPClient.Configuration.inside`).
final class CallSlots: Sendable {
    /// A quarter of the pool.
    private static let perOrganization = 16
    /// Calls of routes that wait for a provider, as a connection's test does: of one organization, and of all.
    private static let longPerOrganization = 2
    private static let longOfAll = 16

    private struct State {
        var underWay: [OrganizationID: Int] = [:]
        var longUnderWay: [OrganizationID: Int] = [:]
        var long = 0
    }

    private let state = Mutex(State())

    /// One call under way; over when the value is let go, with the answer's body.
    final class Slot: Sendable {
        private let slots: CallSlots
        private let organization: OrganizationID
        private let isLong: Bool

        fileprivate init(_ slots: CallSlots, _ organization: OrganizationID, isLong: Bool) {
            self.slots = slots
            self.organization = organization
            self.isLong = isLong
        }

        deinit { self.slots.leave(self.organization, isLong: self.isLong) }
    }

    /// - Throws: 429 where the organization has too many under way, 503 where all together have; nothing waits here.
    func enter(_ organization: OrganizationID, isLong: Bool) throws(Problem) -> Slot {
        let refusal: Problem? = self.state.withLock { state in
            if state.underWay[organization, default: 0] >= Self.perOrganization { return Self.tooMany(Self.perOrganization) }
            if isLong {
                if state.longUnderWay[organization, default: 0] >= Self.longPerOrganization {
                    return Self.tooMany(Self.longPerOrganization)
                }
                if state.long >= Self.longOfAll {
                    return Problem(.unavailable, "Too many tests of connections are under way.", retryAfter: 5)
                }
                state.longUnderWay[organization, default: 0] += 1
                state.long += 1
            }
            state.underWay[organization, default: 0] += 1
            return nil
        }
        if let refusal { throw refusal }
        return Slot(self, organization, isLong: isLong)
    }

    private func leave(_ organization: OrganizationID, isLong: Bool) {
        self.state.withLock { state in
            Self.lower(&state.underWay, organization)
            guard isLong else { return }
            Self.lower(&state.longUnderWay, organization)
            state.long -= 1
        }
    }

    /// Organizations with nothing under way take no room.
    private static func lower(_ counts: inout [OrganizationID: Int], _ organization: OrganizationID) {
        let left = counts[organization, default: 1] - 1
        counts[organization] = left > 0 ? left : nil
    }

    private static func tooMany(_ limit: Int) -> Problem {
        Problem(
            .quotaExceeded,
            "Your organization has \(limit) such requests under way; wait for one to end.",
            retryAfter: 1,
            violatedPolicies: ["concurrency"]
        )
    }
}
