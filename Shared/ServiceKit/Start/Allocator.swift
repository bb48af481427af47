import CMalloc

enum Allocator {
    /// From this size on memory is mapped, and goes back to the system when it is let go (mallopt(3)). Without it glibc raises the mark to the size of
    /// the first large block that is freed, a password's table say, and the next ones stay in its heaps for good.
    private static let mapped: Int32 = 1 << 20
    /// Heaps that threads share: each has its own holes, and the default is eight for each core.
    private static let heaps: Int32 = 2

    static func settle() {
        _ = mallopt(M_MMAP_THRESHOLD, self.mapped)
        _ = mallopt(M_ARENA_MAX, self.heaps)
    }
}
