import Foundation
import Models
import Transport

/// Why an attempt failed, as the delivery log names it.
struct DeliveryFailure: RawRepresentable, Sendable, Hashable {
    let rawValue: String

    init(rawValue: String) { self.rawValue = rawValue }

    /// The target answered, but not 2xx: `http_503`.
    static func status(_ status: Int) -> DeliveryFailure { DeliveryFailure(rawValue: "http_\(status)") }

    /// No answer came.
    init(_ kind: TransportError.Kind) {
        self.rawValue =
            switch kind {
            case .invalidRequest: "invalid_request"
            case .resolve: "resolve"
            case .connect: "connect"
            case .tls: "tls"
            case .refusedAddress: "refused_address"
            case .timedOut: Self.timeout.rawValue
            case .busy: Self.busy.rawValue
            case .connectionLost: "connection_lost"
            case .tooLarge: "too_large"
            case .shuttingDown: "interrupted"
            case .protocolError: "protocol_error"
            case .authentication: "authentication"
            }
    }

    /// No answer in time.
    static let timeout = DeliveryFailure(rawValue: "timeout")
    /// The process ended during the attempt; the target may have taken it.
    static let interrupted = DeliveryFailure(rawValue: "interrupted")
    /// This process had no free call for the target in time, or no way to its signing key: the target was not tried.
    static let busy = DeliveryFailure(rawValue: "busy")
    /// The subscription ended before the delivery.
    static let unsubscribed = DeliveryFailure(rawValue: "unsubscribed")
    /// The house had disabled the subscription before the delivery.
    static let disabled = DeliveryFailure(rawValue: "disabled")
    /// Its replay was cancelled before it.
    static let cancelled = DeliveryFailure(rawValue: "replay_cancelled")
    /// The payload template gave more than may be posted.
    static let template = DeliveryFailure(rawValue: "template_too_large")
    /// Its sealed target or secret does not open with the keys that this process has.
    static let sealed = DeliveryFailure(rawValue: "sealed")
    /// The event has left the log.
    static let expired = DeliveryFailure(rawValue: "event_expired")
}

/// What one attempt came to.
struct AttemptResult: Sendable, Equatable {
    var status: Int?
    var failure: DeliveryFailure?
    var excerpt: String?
    /// Seconds that the target asked to be left alone.
    var retryAfter: Double?
    var startedAt = Date()
    var duration: Duration

    var milliseconds: Int64 { Int64((self.duration / .milliseconds(1)).rounded()) }
}

/// What becomes of a delivery after an attempt.
enum DeliveryStep: Sendable, Equatable {
    case succeeded
    /// Try again after these seconds; `counts` where the attempt was a failure of the target's and uses up the schedule.
    case retry(after: Double, counts: Bool)
    case dead
    /// The target wants no more of this subscription at all.
    case gone

    /// - schedule: of a subscription that has none of its own.
    /// - chance: -1 to 1, where in its spread a wait lies.
    static func after(_ result: AttemptResult, of delivery: ClaimedDelivery, schedule: RetrySchedule, chance: Double) -> DeliveryStep {
        let schedule = delivery.endpoint?.schedule ?? schedule
        let step = self.after(result, failures: delivery.failures, schedule: schedule, chance: chance)
        // A test tells how the target does now.
        if case .retry(_, counts: true) = step, delivery.cause == .test { return .dead }
        return step
    }

    /// - failures: failed attempts before this one.
    /// - chance: -1 to 1, where in its spread a wait lies.
    static func after(_ result: AttemptResult, failures: Int, schedule: RetrySchedule, chance: Double) -> DeliveryStep {
        guard let failure = result.failure else { return .succeeded }
        if result.status == 410 { return .gone }
        if failure == .interrupted { return .retry(after: 0, counts: false) }
        if failure == .busy { return .retry(after: 1, counts: false) }
        if [.unsubscribed, .disabled, .expired, .template].contains(failure) { return .dead }
        let wait = schedule.wait(afterFailure: failures + 1, retryAfter: result.retryAfter, chance: chance)
        return wait.map { .retry(after: $0, counts: true) } ?? .dead
    }
}
