/// Text that must not be seen: it prints, logs, mirrors and interpolates as `***`.
/// Reading it takes the loud ``reveal()``. It is in Models because every shared module takes secrets and none may import another.
package struct Secret: Sendable, Hashable {
    private let value: String

    package init(_ value: String) { self.value = value }

    /// The text itself. Call it only where the secret is used.
    package func reveal() -> String { self.value }

    package var isEmpty: Bool { self.value.isEmpty }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "***" }
    package var debugDescription: String { "***" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
