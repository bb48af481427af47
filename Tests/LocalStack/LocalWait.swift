import Foundation

package enum LocalWait {
    package struct TimedOut: Error, CustomStringConvertible {
        package var description: String
    }

    /// Asks again until `condition` answers a value.
    package static func until<Value: Sendable>(
        _ what: String,
        within limit: Duration = .seconds(60),
        every pause: Duration = .milliseconds(50),
        _ condition: () async throws -> Value?
    ) async throws -> Value {
        let deadline = ContinuousClock.now + limit
        while true {
            if let value = try await condition() { return value }
            guard ContinuousClock.now < deadline else { throw TimedOut(description: "waited \(limit) in vain for \(what)") }
            try await Task.sleep(for: pause)
        }
    }
}
