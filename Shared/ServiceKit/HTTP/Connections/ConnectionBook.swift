import Metrics
import Synchronization

/// Counts the connections of strangers: all of them, and those of each address. A part of the server's places is not theirs, so that the prober on
/// this machine and the trusted proxies get in while strangers hold all that they can.
final class ConnectionBook: Sendable {
    /// One IPv4 address, or the /64 that an IPv6 customer has.
    fileprivate typealias Source = [UInt8]

    private struct State {
        var strangers = 0
        var bySource: [Source: Int] = [:]
    }

    /// Places that strangers leave free: a tenth, at most so many.
    private static let reserve = 64

    private let forStrangers: Int
    private let perAddress: Int
    private let trusted: [AddressRange]
    private let state = Mutex(State())

    /// - perAddress: 0 for no limit.
    /// - trusted: addresses that neither limit applies to.
    init(maximum: Int, perAddress: Int, trusted: [AddressRange]) {
        self.forStrangers = maximum - min(Self.reserve, maximum / 10)
        self.perAddress = perAddress
        self.trusted = trusted
    }

    /// One connection under way; it must be given back by ``leave(_:)``.
    struct Entry: Sendable {
        fileprivate var source: Source?
    }

    /// nil where there is no place for this address.
    func enter(_ address: String?) -> Entry? {
        guard let address, let bytes = AddressRange.bytes(of: address) else { return Entry(source: nil) }
        if self.trusted.contains(where: { $0.contains(address) }) { return Entry(source: nil) }
        let source = bytes.count == 16 ? Array(bytes.prefix(8)) : bytes
        return self.state.withLock { state in
            guard state.strangers < self.forStrangers, self.perAddress == 0 || state.bySource[source, default: 0] < self.perAddress else {
                return nil
            }
            state.strangers += 1
            state.bySource[source, default: 0] += 1
            return Entry(source: source)
        }
    }

    func leave(_ entry: Entry) {
        guard let source = entry.source else { return }
        self.state.withLock { state in
            state.strangers -= 1
            let rest = state.bySource[source, default: 1] - 1
            state.bySource[source] = rest > 0 ? rest : nil
        }
    }
}

/// Why a connection was ended by the server, for `/metrics`.
package enum ConnectionEnd: String {
    case full, silent, idle, slowHead = "slow_head", slowBody = "slow_body", stalledAnswer = "stalled_answer", malformed
    /// TLS was not agreed on in time.
    case slowHandshake = "slow_handshake"
    /// HTTP/2: more resets, control frames or faults than a client has a use for.
    case flood

    package func count() { Counter(label: "http_connections_cut", dimensions: [("reason", self.rawValue)]).increment() }
}
