import Models
import Synchronization

/// What of a batch is settled, what is open, and what waits to be written.
final class BatchProgress: Sendable {
    private struct State {
        var open: [String: ClaimedMessage]
        var ready: [Settlement] = []
        var settled = 0
        var askAgainAfter: Double?
        var refusal: String?
        var mayBeTaken = false
    }

    private let rules: SettlementRules
    private let from: MessageState
    private let state: Mutex<State>

    init(_ messages: [ClaimedMessage], from: MessageState, rules: SettlementRules) {
        self.from = from
        self.rules = rules
        self.state = Mutex(State(open: Dictionary(messages.map { ($0.sendKey, $0) }, uniquingKeysWith: { first, _ in first })))
    }

    var openKeys: Set<String> { self.state.withLock { Set($0.open.keys) } }
    /// Messages that the integration has settled; refusals are not among them.
    var settledCount: Int { self.state.withLock { $0.settled } }

    /// Why the integration sends nothing, where it said so.
    var refusal: String? { self.state.withLock { $0.refusal } }

    /// Whether integrations may have taken what is still open: it must then not be held for unsent.
    var mayBeTaken: Bool { self.state.withLock { $0.mayBeTaken } }

    func note(_ end: SendExchange.End) {
        if end.mayBeTaken { self.state.withLock { $0.mayBeTaken = true } }
    }

    /// Takes a line. Unknown keys and repeated lines are passed over; the first settled outcome of a stream counts.
    func take(_ outcome: SendOutcome) {
        self.state.withLock { state in
            guard let message = state.open[outcome.sendKey] else { return }
            guard let settlement = self.rules.settlement(of: outcome, for: message, from: self.from) else {
                if outcome.outcome == .inFlight { state.askAgainAfter = max(state.askAgainAfter ?? 0, outcome.retryAfter ?? 1) }
                // A question about a message in doubt is answered either way.
                if self.from == .inDoubt { state.open[outcome.sendKey] = nil }
                return
            }
            if SettlementRules.isRefusal(outcome) { state.refusal = settlement.detail ?? settlement.reason } else { state.settled += 1 }
            state.open[outcome.sendKey] = nil
            state.ready.append(settlement)
        }
    }

    /// Settles a message that is not posted at all.
    func settle(_ message: ClaimedMessage, _ state: MessageState, reason: String) {
        self.state.withLock { progress in
            progress.open[message.sendKey] = nil
            progress.ready.append(Settlement(sendKey: message.sendKey, fence: message.fence, state: state, reason: reason))
        }
    }

    /// Leaves a message as it is.
    func drop(_ message: ClaimedMessage) {
        self.state.withLock { $0.open[message.sendKey] = nil }
    }

    func drain() -> [Settlement] {
        self.state.withLock { state in
            defer { state.ready = [] }
            return state.ready
        }
    }

    /// Seconds that integrations asked to wait for what is in flight elsewhere; nil where nothing was.
    func takeAskAgain() -> Double? {
        self.state.withLock { state in
            defer { state.askAgainAfter = nil }
            return state.askAgainAfter
        }
    }
}
