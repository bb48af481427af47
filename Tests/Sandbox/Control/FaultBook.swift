import Synchronization

/// The faults that are switched on.
final class FaultBook: Sendable {
    private struct State {
        var faults: [Fault] = []
        var lastID = 0
    }

    private let state = Mutex(State())

    func add(_ fault: Fault) -> Fault {
        self.state.withLock { state in
            state.lastID += 1
            var fault = fault
            fault.id = state.lastID
            state.faults.append(fault)
            return fault
        }
    }

    var all: [Fault] { self.state.withLock { $0.faults } }

    func remove(_ id: Int) { self.state.withLock { state in state.faults.removeAll { $0.id == id } } }

    func removeAll() { self.state.withLock { $0.faults = [] } }

    /// The first fault that hits this request; using it up counts.
    func strike(provider: Provider, method: String, path: String) -> Fault? {
        self.state.withLock { state in
            for index in state.faults.indices where state.faults[index].matches(provider: provider, method: method, path: path) {
                if state.faults[index].count == 0 { continue }
                guard Double.random(in: 0..<1, using: &state.faults[index].random) < state.faults[index].probability else { continue }
                state.faults[index].fired += 1
                if let count = state.faults[index].count { state.faults[index].count = count - 1 }
                return state.faults[index]
            }
            return nil
        }
    }
}
