import Models
import Synchronization

/// What was accepted, for tests to compare: how often each recipient and each send_key came.
final class MailBook: Sendable {
    struct Recipient: Sendable, Hashable {
        var address: String
        var sendKey: String?
    }

    /// Duplicates listed in the summary.
    static let listed = 1000

    private struct State {
        var mails: Int64 = 0
        var byAddress: [String: Int] = [:]
        var bySendKey: [String: Int] = [:]
    }

    private let state = Mutex(State())

    func accept(_ recipients: [Recipient]) {
        self.state.withLock { state in
            state.mails += 1
            for recipient in recipients {
                state.byAddress[recipient.address, default: 0] += 1
                if let key = recipient.sendKey { state.bySendKey[key, default: 0] += 1 }
            }
        }
    }

    func reset() { self.state.withLock { $0 = State() } }

    /// Times by address.
    var recipients: JSONValue { .object(self.state.withLock { $0.byAddress }.mapValues { .integer(Int64($0)) }) }

    var summary: JSONValue {
        let state = self.state.withLock { $0 }
        return [
            "requests": .integer(state.mails),
            "accepted": .integer(Int64(state.byAddress.values.reduce(0, +))),
            "recipients": .integer(Int64(state.byAddress.count)),
            "send_keys": .integer(Int64(state.bySendKey.count)),
            "duplicate_recipients": Self.duplicates(state.byAddress),
            "duplicate_send_keys": Self.duplicates(state.bySendKey),
        ]
    }

    private static func duplicates(_ times: [String: Int]) -> JSONValue {
        let repeated = times.filter { $0.value > 1 }.sorted { $0.key < $1.key }.prefix(Self.listed)
        return .object(Dictionary(uniqueKeysWithValues: repeated.map { ($0.key, .integer(Int64($0.value))) }))
    }
}
