import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// One process for all time: its pid may be given to another once it has ended, but not with the same start in the same boot.
package struct ProcessIdentity: Codable, Sendable, Equatable {
    package let pid: Int32
    /// Clock ticks from the boot to the start; an `exec` leaves it as it is.
    let start: UInt64
    let boot: String

    /// The process that has this pid now; nil where none has, or only one that waits to be reaped.
    init?(_ pid: Int32) {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            // The second field is the program's name in parentheses, which may hold blanks and parentheses itself.
            let end = stat.lastIndex(of: ")")
        else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X", let start = UInt64(fields[19]) else { return nil }
        self.pid = pid
        self.start = start
        let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        self.boot = boot?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    }

    package var isAlive: Bool { ProcessIdentity(self.pid) == self }

    func signal(_ signal: Int32) {
        if self.isAlive { kill(self.pid, signal) }
    }
}
