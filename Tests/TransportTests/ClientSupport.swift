import HTTPTypes
import Logging
import Synchronization
import Testing

@testable import Transport

/// A client for one test, shut down at its end.
func withClient<Result>(
    _ configuration: HTTPClient.Configuration = .inside(),
    _ body: (HTTPClient) async throws -> Result
) async throws -> Result {
    let client = HTTPClient(configuration, logger: Logger(label: "test"))
    do {
        let result = try await body(client)
        await client.shutdown(within: .zero)
        return result
    } catch {
        await client.shutdown(within: .zero)
        throw error
    }
}

extension HTTPClient {
    /// Status and body as text.
    func text(_ request: HTTPClientRequest) async throws -> (status: Int, body: String) {
        let response = try await self.send(request)
        return (response.head.status.code, String(decoding: try await response.collect(upTo: 64 << 20), as: UTF8.self))
    }

    func get(_ url: String, timeouts: Timeouts = Timeouts()) async throws -> (status: Int, body: String) {
        try await self.text(HTTPClientRequest(.get, url, timeouts: timeouts))
    }
}

/// The transport error that the work throws.
func transportError(_ work: () async throws -> some Any) async -> TransportError? {
    do {
        _ = try await work()
        Issue.record("nothing was thrown")
        return nil
    } catch let error as TransportError {
        return error
    } catch {
        Issue.record("another error was thrown: \(error)")
        return nil
    }
}

/// Asks until a condition holds that another thread brings about, at most ten seconds long. (Yielding instead of the short sleep would keep
/// the few threads of the tests' pool busy.)
func eventually(_ condition: () -> Bool) async -> Bool {
    let clock = ContinuousClock()
    let end = clock.now.advanced(by: .seconds(10))
    while clock.now < end {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return condition()
}

/// A number that several threads count.
final class Counter: Sendable {
    private let number = Mutex(0)

    var value: Int { self.number.withLock { $0 } }

    func reset() { self.number.withLock { $0 = 0 } }

    /// The number after adding.
    @discardableResult
    func add(_ increment: Int = 1) -> Int {
        self.number.withLock { number in
            number += increment
            return number
        }
    }
}
