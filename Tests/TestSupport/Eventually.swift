import Foundation

/// Asks again every few milliseconds until the condition holds: for what another process or thread does in its own time.
/// - Throws: ``TestFailure`` when it does not hold within the limit.
package func eventually(
    _ promise: String,
    within limit: Duration = .seconds(20),
    _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now + limit
    while try await !condition() {
        guard clock.now < end else { throw TestFailure("did not happen within \(limit): \(promise)") }
        try await clock.sleep(for: .milliseconds(5))
    }
}
