import Models
import Synchronization

/// Opened keys by organization, so that not every delivery reads and opens them anew.
final class SigningKeyCache: Sendable {
    /// The rows are read again after so long: by then a rotation in another process has taken effect here.
    static let usualLifetime = Duration.seconds(5)
    /// Organizations; beyond them the one that was read longest ago gives way.
    static let usualCapacity = 4096

    private struct Entry {
        var keys: [SigningKey]
        var readAt: ContinuousClock.Instant
    }

    private let lifetime: Duration
    private let capacity: Int
    private let entries = Mutex<[OrganizationID: Entry]>([:])

    init(lifetime: Duration = usualLifetime, capacity: Int = usualCapacity) {
        self.lifetime = lifetime
        self.capacity = capacity
    }

    /// nil where the rows have to be read.
    func fresh(of organization: OrganizationID) -> [SigningKey]? {
        guard let entry = self.entries.withLock({ $0[organization] }), ContinuousClock.now - entry.readAt < self.lifetime else {
            return nil
        }
        return entry.keys
    }

    /// Also when the rows have to be read: what is open need not be opened again.
    func opened(_ id: SigningKeyID, of organization: OrganizationID) -> SigningKey? {
        self.entries.withLock { $0[organization]?.keys.first { $0.id == id } }
    }

    /// - readAt: before the rows were asked for.
    func keep(_ keys: [SigningKey], of organization: OrganizationID, readAt: ContinuousClock.Instant) {
        self.entries.withLock { entries in
            if entries[organization] == nil, entries.count >= self.capacity,
                let oldest = entries.min(by: { $0.value.readAt < $1.value.readAt })?.key
            {
                entries[oldest] = nil
            }
            entries[organization] = Entry(keys: keys, readAt: readAt)
        }
    }

    func drop(_ organization: OrganizationID) { self.entries.withLock { $0[organization] = nil } }
}
