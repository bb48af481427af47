import Models
import Synchronization

/// What came in, by route and by answer.
final class RequestTally: Sendable {
    private struct State {
        var requests: [String: Int64] = [:]
        var answers: [String: Int64] = [:]
    }

    private let state = Mutex(State())

    func count(provider: Provider, route: String, status: Int) {
        self.state.withLock { state in
            state.requests[route, default: 0] += 1
            state.answers["\(provider.rawValue) \(status)", default: 0] += 1
        }
    }

    func reset() { self.state.withLock { $0 = State() } }

    var json: JSONValue {
        self.state.withLock { state in
            [
                "requests": .object(state.requests.mapValues(JSONValue.integer)),
                "answers": .object(state.answers.mapValues(JSONValue.integer)),
            ]
        }
    }
}
