import Synchronization

final class LockedCount: Sendable {
    private let state: Mutex<(value: Int, highest: Int)>

    init(_ value: Int = 0) { self.state = Mutex((value, value)) }

    var value: Int { self.state.withLock { $0.value } }
    var highest: Int { self.state.withLock { $0.highest } }

    @discardableResult
    func add(_ amount: Int = 1) -> Int {
        self.state.withLock { state in
            state.value += amount
            state.highest = max(state.highest, state.value)
            return state.value
        }
    }

    func takeOne() -> Bool {
        self.state.withLock { state in
            guard state.value > 0 else { return false }
            state.value -= 1
            return true
        }
    }
}

/// Values in the order in which they came.
final class Recorder<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    var all: [Value] { self.values.withLock { $0 } }
    var count: Int { self.all.count }

    func add(_ value: Value) { self.values.withLock { $0.append(value) } }
}
