import Synchronization

/// Keyed OpenSSL contexts that wait for reuse: keying one costs several times a short message, and none may serve two threads at once.
/// A caller takes one out (or makes one), uses it alone and puts it back; the lock is held only for the taking.
final class ContextPool<Context: AnyObject & Sendable>: Sendable {
    /// Contexts kept while idle. More callers than this at once make their own and drop them.
    private static var limit: Int { 16 }

    private let idle = Mutex<[Context]>([])
    private let make: @Sendable () throws -> Context

    init(make: @escaping @Sendable () throws -> Context) { self.make = make }

    func use<Result>(_ body: (Context) throws -> Result) throws -> Result {
        let context = try self.idle.withLock { $0.popLast() } ?? self.make()
        defer { self.idle.withLock { if $0.count < Self.limit { $0.append(context) } } }
        return try body(context)
    }
}
