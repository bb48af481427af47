import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// A run directory belongs to one launcher at a time. The kernel lets go of the lock however the launcher ends, so it cannot go stale.
final class RunLock: Sendable {
    private let descriptor: Int32

    /// Another launcher has the run directory.
    struct Held: Error, CustomStringConvertible { var description: String }

    private static func path(_ run: String) -> String { "\(run)/launcher.json" }

    init(_ run: String) throws {
        // Closed on exec: a child that outlives the launcher must not keep the lock.
        self.descriptor = open(Self.path(run), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard self.descriptor >= 0 else {
            throw Held(description: "\(Self.path(run)) cannot be written: \(String(cString: strerror(errno)))")
        }
        guard flock(self.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let refusal = Held(description: Self.running(in: run)?.refusal ?? "another launcher is just starting on \(run): try again")
            close(self.descriptor)
            throw refusal
        }
    }

    /// For those who find the directory held.
    func announce(_ stack: RunningStack) throws {
        let bytes = [UInt8](try JSONEncoder().encode(stack))
        guard ftruncate(self.descriptor, 0) == 0, pwrite(self.descriptor, bytes, bytes.count, 0) == bytes.count else {
            throw CocoaError(.fileWriteUnknown)
        }
    }

    /// Leaves the file where it is: a launcher that opened it before it was removed would lock what nobody else sees.
    func release() {
        ftruncate(self.descriptor, 0)
        close(self.descriptor)
    }

    /// What a launcher that is alive has announced.
    static func running(in run: String) -> RunningStack? {
        guard let data = FileManager.default.contents(atPath: self.path(run)),
            let stack = try? JSONDecoder().decode(RunningStack.self, from: data), stack.launcher.isAlive
        else { return nil }
        return stack
    }
}
