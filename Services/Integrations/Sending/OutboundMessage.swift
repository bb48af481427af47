import Database
import Models

/// A send key that this process holds: the fence is what every later write must match.
struct HeldKey: Sendable, Hashable {
    let organizationID: OrganizationID
    let sendKey: String
    let fence: Int64
}

/// A row of `outbound_messages` as a later asker finds it.
struct KnownMessage: Sendable, Equatable {
    enum State: String, Sendable, SQLDecodable {
        case queued, begun, accepted, rejected
        case notSent = "not_sent"
        case inDoubt = "in_doubt"
    }

    let sendKey: String
    let state: State
    let providerMessageID: String?
    let reason: String?
    let detail: String?
    /// Seconds until the holder's lease ends.
    let leaseLeft: Double

    /// The outcome that is answered for a settled row; nil while somebody holds it.
    var settled: SendOutcome? {
        let outcome: SendOutcome.Class? =
            switch self.state {
            case .accepted: .accepted
            case .rejected: .rejected
            case .inDoubt: .inDoubt
            case .queued, .begun, .notSent: nil
            }
        return outcome.map {
            SendOutcome(
                sendKey: self.sendKey,
                outcome: $0,
                providerMessageID: self.providerMessageID,
                reason: self.reason,
                detail: self.detail
            )
        }
    }

    /// The answer to who cannot wait: ask again when the holder has settled or its lease is over.
    var inFlight: SendOutcome {
        SendOutcome(sendKey: self.sendKey, outcome: .inFlight, reason: "held", retryAfter: min(max(1, self.leaseLeft), 10))
    }
}

extension KnownMessage: RowDecodable {
    init(row: Row) throws {
        self.sendKey = try row.get("send_key")
        self.state = try row.get("state")
        self.providerMessageID = try row.get("provider_message_id")
        self.reason = try row.get("reason")
        self.detail = try row.get("detail")
        self.leaseLeft = try row.get("lease_left")
    }
}

/// What a claim of send keys found.
struct ClaimedKeys: Sendable {
    /// Ours now.
    var held: [HeldKey] = []
    /// Settled before, or in somebody else's hand.
    var known: [KnownMessage] = []
}
