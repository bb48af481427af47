import Models

/// What becomes of one claimed message.
struct Settlement: Sendable, Equatable {
    var sendKey: String
    /// Of the claim: a row that was claimed again since is left alone.
    var fence: Int64
    var state: MessageState
    var reason: String?
    var detail: String?
    var providerMessageID: String?
    /// Seconds before the next try of what is pending again.
    var delay: Double = 0
    /// Whether a try is counted.
    var isTry = false
}

/// From the outcome that integrations tell to the state of the message.
struct SettlementRules: Sendable {
    /// Answers of "not sent" after which a message has failed.
    var attemptLimit: Int
    /// Seconds; doubled with each try up to the limit.
    var firstDelay: Double = 5
    var delayLimit: Double = 900

    /// nil where the outcome settles nothing yet.
    func settlement(of outcome: SendOutcome, for message: ClaimedMessage, from state: MessageState) -> Settlement? {
        var settlement = Settlement(sendKey: message.sendKey, fence: message.fence, state: .accepted)
        settlement.reason = outcome.reason.map { Self.cleaned($0, limit: 100) }
        settlement.detail = outcome.detail.map { Self.cleaned($0, limit: 500) }
        settlement.providerMessageID = outcome.providerMessageID.map { Self.cleaned($0, limit: 500) }
        switch (outcome.outcome, state) {
        case (.accepted, _): return settlement
        case (.rejected, _): settlement.state = .failed
        case (.inFlight, _), (.inDoubt, .inDoubt): return nil
        case (.inDoubt, _): settlement.state = .inDoubt
        case (.notSent, .inDoubt):
            // Asking again tries again; only after the last question is it given up.
            guard message.checks >= DoubtSchedule.checkLimit else { return nil }
            settlement.state = .failed
        case (.notSent, _) where Self.isRefusal(outcome):
            // Nothing was tried: the campaign's hold decides when it is.
            settlement.state = .pending
        case (.notSent, _):
            settlement.isTry = true
            settlement.state = message.attempts + 1 >= self.attemptLimit ? .failed : .pending
            settlement.delay = max(outcome.retryAfter ?? 0, self.delay(afterAttempts: message.attempts + 1))
        }
        return settlement
    }

    /// The integration itself is paused, deleted or refused: no message of it can be sent, whatever the message.
    static func isRefusal(_ outcome: SendOutcome) -> Bool {
        outcome.outcome == .notSent && outcome.reason?.hasPrefix("integration_") ?? false
    }

    /// Without jitter: which of many messages comes first does not matter to anyone.
    func delay(afterAttempts attempts: Int) -> Double {
        var delay = self.firstDelay
        for _ in 1..<max(1, min(attempts, 32)) { delay = min(delay * 2, self.delayLimit) }
        return min(delay, self.delayLimit)
    }

    /// A provider's words on one line, cut.
    static func cleaned(_ text: String, limit: Int) -> String {
        let scalars = text.unicodeScalars.lazy.map { $0.properties.generalCategory == .control ? " " : $0 }
        return String(String(String.UnicodeScalarView(scalars)).prefix(limit))
    }
}
