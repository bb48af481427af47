import Models
import ServiceKit

/// What a client asks for when it wants a new signing key.
struct SigningKeyRotation: Sendable, Equatable {
    /// How long the present key goes on signing beside the new one. With 0 it is taken back at once, as are all older ones: what a leaked key
    /// has signed must convince nobody.
    var graceSeconds: Int64

    /// A day: receivers that keep the keys read them anew by then.
    static let usualGrace: Int64 = 86_400
    /// A week, as for API keys.
    static let longestGrace: Int64 = 604_800
    /// A week after its last signature: a receiver may verify late what it has stored.
    static let publishedAfterwards: Int64 = 604_800
    /// Older keys that may sign beside the present one: every delivery carries a signature of each.
    static let mostPrevious = 3

    init(graceSeconds: Int64 = Self.usualGrace) { self.graceSeconds = graceSeconds }

    /// - Throws: one validation problem that names every fault.
    init(_ body: JSONValue) throws {
        var reader = FieldReader(body)
        self.graceSeconds = reader.integer("grace_seconds", 0...Self.longestGrace, default: Self.usualGrace)
        try reader.finish()
    }

    /// How long receivers find the present key.
    var publishedSeconds: Int64 { self.graceSeconds == 0 ? 0 : self.graceSeconds + Self.publishedAfterwards }
}
