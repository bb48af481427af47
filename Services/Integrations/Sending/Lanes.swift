import Synchronization

/// Bounds the calls on their way at once for each lane, across all requests; who waits is served in order.
final class Lanes: Sendable {
    private struct Lane {
        var busy = 0
        var waiting: ArraySlice<CheckedContinuation<Void, Never>> = []
    }

    private let lanes = Mutex<[String: Lane]>([:])

    /// Waits without regard to cancellation: every holder leaves within its call's time limit.
    func enter(_ lane: MailLane) async {
        await withCheckedContinuation { continuation in
            let isFree = self.lanes.withLock { lanes in
                if lanes[lane.key, default: Lane()].busy < lane.width {
                    lanes[lane.key, default: Lane()].busy += 1
                    return true
                }
                lanes[lane.key, default: Lane()].waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    /// Hands the place to who has waited longest.
    func leave(_ lane: MailLane) {
        let next = self.lanes.withLock { lanes -> CheckedContinuation<Void, Never>? in
            if let next = lanes[lane.key]?.waiting.popFirst() { return next }
            lanes[lane.key]?.busy -= 1
            if lanes[lane.key]?.busy == 0 { lanes[lane.key] = nil }
            return nil
        }
        next?.resume()
    }
}
