import Glibc

/// Nanoseconds of CLOCK_MONOTONIC: an integer is cheaper to keep and compare in the loops than an `Instant`.
enum MonotonicClock {
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
