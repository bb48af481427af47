import Foundation
import Synchronization

package enum EventID {
    private struct State {
        var milliseconds: UInt64 = 0
        /// 12 bits after the time: a counter within the millisecond (RFC 9562 section 6.2, method 1).
        var counter: UInt16 = 0
    }

    private static let state = Mutex(State())

    /// `prefix_` and a UUIDv7 (RFC 9562) as 32 hexadecimal digits. Ids of one process grow.
    package static func make(_ prefix: String) -> String {
        let now = UInt64(max(0, Date().timeIntervalSince1970 * 1000))
        var random = PooledRandom()
        let start = UInt16.random(in: 0..<0x800, using: &random)
        let (milliseconds, counter) = self.state.withLock { state in
            if now > state.milliseconds {
                state.milliseconds = now
                // Room for more in this millisecond: the counter starts in its lower half.
                state.counter = start
            } else if state.counter == 0xFFF {
                state.milliseconds += 1
                state.counter = 0
            } else {
                state.counter += 1
            }
            return (state.milliseconds, state.counter)
        }
        let high = milliseconds << 16 | 0x7000 | UInt64(counter)
        let low = random.next() >> 2 | 1 << 63
        return "\(prefix)_\(self.hex(high))\(self.hex(low))"
    }

    private static func hex(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { output in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - index * 4)) & 15
                output[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 16
        }
    }
}
