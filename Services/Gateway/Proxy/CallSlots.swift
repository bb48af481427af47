import DequeModule
import Models
import Synchronization

/// Places for forwarded calls, whichever way they go: as many as the inside serves well at once (`HTTPClient.Configuration.inside`). Organizations take
/// turns for them, so that one whose calls take long or are many does not keep the others' from their owner.
final class CallSlots: Sendable {
    struct Limits: Sendable {
        /// All organizations together.
        var all = 64
        var perOrganization = 24
        /// Of one organization, waiting for its turn.
        var waiting = 256
        /// For a turn; a client would wait longer than for its answer.
        var patience = Duration.seconds(Route.usualTimeout)
        /// Calls of routes that wait for a provider, as a connection's test does: of one organization, and of all. They never wait.
        var longPerOrganization = 2
        var longOfAll = 16
    }

    private typealias Waiter = (id: UInt64, continuation: CheckedContinuation<Void, any Error>)

    private struct Line {
        var underWay = 0
        var longUnderWay = 0
        var waiting = Deque<Waiter>()
    }

    private struct State {
        var lines: [OrganizationID: Line] = [:]
        var underWay = 0
        var longUnderWay = 0
        /// Organizations that have somebody waiting, in the order of their turns.
        var turns = Deque<OrganizationID>()
        var lastWaiter: UInt64 = 0
    }

    private let limits: Limits
    private let state = Mutex(State())

    init(_ limits: Limits = Limits()) { self.limits = limits }

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

    private enum Entry: Sendable {
        case free, full(UInt64)
        case refused(Problem)
    }

    /// Waits for the organization's turn where no place is free.
    /// - Throws: 429 where the organization has too many waiting or too many long ones, 503 where all together have too many long ones;
    ///   `CancellationError`.
    func enter(_ organization: OrganizationID, isLong: Bool) async throws -> Slot {
        switch self.state.withLock({ self.tryEntering(&$0, organization, isLong: isLong) }) {
        case .free: break
        case .refused(let problem): throw problem
        case .full(let id):
            do {
                try await self.wait(id, organization)
            } catch {
                self.state.withLock { self.forget(organization, isLong: isLong, in: &$0) }
                throw error
            }
        }
        return Slot(self, organization, isLong: isLong)
    }

    /// A place that is free at once, for a call that is none of the long ones.
    func enterAtOnce(_ organization: OrganizationID) -> Slot? {
        let isFree = self.state.withLock { state in
            let line = state.lines[organization] ?? Line()
            guard self.isFree(line, state) else { return false }
            Self.take(organization, in: &state)
            return true
        }
        return isFree ? Slot(self, organization, isLong: false) : nil
    }

    private func isFree(_ line: Line, _ state: State) -> Bool {
        line.waiting.isEmpty && line.underWay < self.limits.perOrganization && state.underWay < self.limits.all
    }

    private func tryEntering(_ state: inout State, _ organization: OrganizationID, isLong: Bool) -> Entry {
        let line = state.lines[organization] ?? Line()
        if isLong {
            if line.longUnderWay >= self.limits.longPerOrganization { return .refused(Self.tooMany(self.limits.longPerOrganization)) }
            if state.longUnderWay >= self.limits.longOfAll {
                return .refused(Problem(.unavailable, "Too many tests of connections are under way.", retryAfter: 5))
            }
        }
        let isFree = self.isFree(line, state)
        if !isFree, line.waiting.count >= self.limits.waiting { return .refused(Self.tooMany(self.limits.waiting)) }
        if isLong {
            state.longUnderWay += 1
            state.lines[organization, default: Line()].longUnderWay += 1
        }
        guard isFree else {
            state.lastWaiter += 1
            return .full(state.lastWaiter)
        }
        Self.take(organization, in: &state)
        return .free
    }

    private static func take(_ organization: OrganizationID, in state: inout State) {
        state.lines[organization, default: Line()].underWay += 1
        state.underWay += 1
    }

    private func wait(_ id: UInt64, _ organization: OrganizationID) async throws {
        let patience = Task {
            try await Task.sleep(for: self.limits.patience)
            self.remove(id, organization)?.resume(throwing: Problem(.unavailable, "No place became free in time.", retryAfter: 5))
        }
        defer { patience.cancel() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                // Cancelled before it stood in line: the handler finds nobody.
                guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
                let next = self.state.withLock { state in
                    if state.lines[organization, default: Line()].waiting.isEmpty { state.turns.append(organization) }
                    state.lines[organization, default: Line()].waiting.append((id, continuation))
                    return self.admitNext(&state)
                }
                for waiter in next { waiter.resume() }
            }
        } onCancel: {
            self.remove(id, organization)?.resume(throwing: CancellationError())
        }
    }

    /// Out of the line; nil where it does not stand there any more.
    private func remove(_ id: UInt64, _ organization: OrganizationID) -> CheckedContinuation<Void, any Error>? {
        self.state.withLock { state in
            guard let place = state.lines[organization]?.waiting.firstIndex(where: { $0.id == id }) else { return nil }
            let waiter = state.lines[organization]?.waiting.remove(at: place)
            if state.lines[organization]?.waiting.isEmpty == true { state.turns.removeAll { $0 == organization } }
            return waiter?.continuation
        }
    }

    private func leave(_ organization: OrganizationID, isLong: Bool) {
        let next = self.state.withLock { state in
            state.underWay -= 1
            state.lines[organization]?.underWay -= 1
            self.forget(organization, isLong: isLong, in: &state)
            return self.admitNext(&state)
        }
        for waiter in next { waiter.resume() }
    }

    /// A call is over, or was given up while it waited. Organizations with nothing under way take no room.
    private func forget(_ organization: OrganizationID, isLong: Bool, in state: inout State) {
        if isLong {
            state.longUnderWay -= 1
            state.lines[organization]?.longUnderWay -= 1
        }
        if let line = state.lines[organization], line.underWay == 0, line.longUnderWay == 0, line.waiting.isEmpty {
            state.lines[organization] = nil
        }
    }

    /// Gives free places to those who wait, organization after organization.
    private func admitNext(_ state: inout State) -> [CheckedContinuation<Void, any Error>] {
        var admitted: [CheckedContinuation<Void, any Error>] = []
        var passed = 0
        while state.underWay < self.limits.all, passed < state.turns.count, let organization = state.turns.popFirst() {
            guard state.lines[organization]?.underWay ?? 0 < self.limits.perOrganization,
                let waiter = state.lines[organization]?.waiting.popFirst()
            else {
                state.turns.append(organization)
                passed += 1
                continue
            }
            passed = 0
            Self.take(organization, in: &state)
            if state.lines[organization]?.waiting.isEmpty == false { state.turns.append(organization) }
            admitted.append(waiter.continuation)
        }
        return admitted
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
