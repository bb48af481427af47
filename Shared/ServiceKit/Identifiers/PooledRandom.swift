import Glibc
import Synchronization

/// Random numbers of the kernel (getentropy(3)), fetched 256 bytes at a time, the most that it gives: ids and turns are drawn several times in each request, and a system
/// call for each costs more than all else about them.
struct PooledRandom: RandomNumberGenerator {
    private static let pool = Mutex<[UInt64]>([])
    private static let size = 32

    mutating func next() -> UInt64 {
        Self.pool.withLock { pool in
            if let word = pool.popLast() { return word }
            pool = Self.fetch()
            // Where the kernel has nothing to give, Swift's own generator waits for it.
            return pool.popLast() ?? UInt64.random(in: .min ... .max)
        }
    }

    private static func fetch() -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: self.size) { buffer, count in
            guard let start = buffer.baseAddress else { return }
            count = getentropy(start, self.size * MemoryLayout<UInt64>.size) == 0 ? self.size : 0
        }
    }
}
