import Foundation
import Hummingbird
import Models
import Synchronization

/// A HubSpot account: its door (token, limits, errors) and its state.
final class HubSpot: Sendable {
    private let tokens: Set<String>
    private let start: ContactBook
    private let account: Mutex<ContactAccount>
    private let requests = WindowLimit(shown: 190, interval: .seconds(10))
    private let searches = WindowLimit(shown: 5, interval: .seconds(1))

    init(book: ContactBook, tokens: Set<String>) {
        self.tokens = tokens
        self.start = book
        self.account = Mutex(ContactAccount(book: book))
    }

    var contactCount: Int { self.account.withLock { $0.count } }

    func read<Result: Sendable>(_ body: (ContactAccount) throws -> Result) rethrows -> Result {
        // A copy of the tables' references: searching holds nobody up.
        try body(self.account.withLock { $0 })
    }

    func change<Result: Sendable>(_ body: (inout sending ContactAccount) throws -> sending Result) rethrows -> Result {
        try self.account.withLock { try body(&$0) }
    }

    func reset(seed: UInt64?, contacts: Int?) {
        let book = ContactBook(seed: seed ?? self.start.seed, count: contacts ?? self.start.count)
        self.account.withLock { $0 = ContactAccount(book: book) }
        self.limit(requests: 0, interval: .seconds(10), searchesPerSecond: 0)
    }

    /// 0 lifts a limit.
    func limit(requests: Int, interval: Duration, searchesPerSecond: Int) {
        self.requests.set(limit: requests, interval: interval)
        self.searches.set(limit: searchesPerSecond, interval: .seconds(1))
    }

    /// The answer that a fault gives.
    func fault(_ status: Int) -> Response {
        let error: HubSpotError =
            switch status {
            case 429: .tooMany
            case 401: .expired
            default: .other(status)
            }
        return error.response(correlationID: Self.correlationID())
    }

    /// Checks token and limits, runs the handler, and dresses its answer.
    func serve(_ request: Request, isSearch: Bool = false, _ handler: () async throws -> Response) async throws -> Response {
        let correlationID = Self.correlationID()
        do {
            guard let token = request.bearer, self.tokens.contains(token) else { throw HubSpotError.unauthenticated }
            // The search endpoints have a limit of their own, and tell nothing of it.
            if isSearch {
                guard self.searches.take().isAllowed else { throw HubSpotError.tooManySearches }
                return try await handler().adding([("x-hubspot-correlation-id", correlationID)])
            }
            let reading = self.requests.take()
            guard reading.isAllowed else { throw HubSpotError.tooMany }
            return try await handler().adding([("x-hubspot-correlation-id", correlationID)] + Self.limitHeaders(reading))
        } catch let error as HubSpotError {
            return error.response(correlationID: correlationID)
        }
    }

    private static func limitHeaders(_ reading: WindowLimit.Reading) -> [(String, String)] {
        [
            ("X-HubSpot-RateLimit-Max", String(reading.limit)),
            ("X-HubSpot-RateLimit-Remaining", String(reading.remaining)),
            ("X-HubSpot-RateLimit-Interval-Milliseconds", "10000"),
            ("X-HubSpot-RateLimit-Daily", "625000"),
            ("X-HubSpot-RateLimit-Daily-Remaining", "624000"),
        ]
    }

    private static func correlationID() -> String { UUID().uuidString.lowercased() }
}
