import Models
import ServiceKit

/// What a client asks for when it wants a new string for a key.
struct KeyRotation: Sendable, Equatable {
    /// How long the present string goes on working; with 0 it ends at once, as do all older ones.
    var graceSeconds: Int64

    /// A week: longer graces are keys that were not rotated.
    static let longestGrace: Int64 = 604_800
    /// Older strings of one key that may work beside the present one.
    static let mostRetired = 3

    /// - Throws: one validation problem that names every fault.
    init(_ body: JSONValue) throws {
        var reader = FieldReader(body)
        self.graceSeconds = reader.integer("grace_seconds", 0...Self.longestGrace, default: 0)
        try reader.finish()
    }
}
