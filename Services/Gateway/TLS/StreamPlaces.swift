import NIOCore
import Synchronization

/// Requests of one connection that are worked on. HTTP/2 counts a stream no longer once it is reset, though its request still is: a client that resets
/// what it asks for (CVE-2023-44487) gets no more of them at a time than one that waits.
final class StreamPlaces: Sendable {
    private struct State {
        var taken = 0
        var idleSince = NIODeadline.now()
    }

    private let maximum: Int
    private let state = Mutex(State())

    init(_ maximum: Int) { self.maximum = maximum }

    /// Takes a place in any case, which ``leave()`` gives back.
    /// - Returns: whether there was one.
    func enter() -> Bool {
        self.state.withLock {
            $0.taken += 1
            return $0.taken <= self.maximum
        }
    }

    func leave() {
        self.state.withLock {
            $0.taken -= 1
            if $0.taken == 0 { $0.idleSince = .now() }
        }
    }

    /// Since when nothing is worked on; nil while something is.
    var idleSince: NIODeadline? { self.state.withLock { $0.taken == 0 ? $0.idleSince : nil } }
}
