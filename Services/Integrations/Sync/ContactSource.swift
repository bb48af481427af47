import Models

/// Reads a provider's contacts page by page.
protocol ContactSource: Sendable {
    /// The page at the cursor that the page before gave; nil is the very first. Pages may repeat contacts, never skip one.
    /// - Throws: ``ProviderFailure``, `CancellationError`.
    func page(_ connection: Connection, at cursor: JSONValue?) async throws -> ContactPage
}

struct ContactPage: Sendable, Equatable {
    var contacts: [SourceContact]
    /// Provider ids of contacts that are gone.
    var deleted: [String]
    /// Where the next page, or the next run, begins.
    var next: JSONValue
    /// Nothing more to read in this run.
    var isLast: Bool
    /// This page ended the first whole pass: what follows reads changes only.
    var completesFullPass: Bool
    /// To keep between this page and the next.
    var pause: Duration = .zero
}

/// A contact in the house's shape beside the provider's own words.
struct SourceContact: Sendable, Equatable {
    var fields: ContactFields
    var raw: JSONValue
    /// SHA-256 in hexadecimal over what is synced; times of change are left out, so that a touch alone is no change.
    var payloadHash: String
}
