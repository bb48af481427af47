import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// The terminal: lines, and one live line that is written over.
enum Screen {
    private static let live = Mutex("")
    private static let isTerminal = isatty(STDOUT_FILENO) == 1

    static func say(_ line: String) {
        self.live.withLock { live in
            if !live.isEmpty, self.isTerminal { self.write("\r\u{1B}[K") }
            live = ""
            self.write(line + "\n")
        }
    }

    /// Progress: replaces the last progress on a terminal; elsewhere each new text is a line.
    static func progress(_ text: String) {
        self.live.withLock { live in
            guard text != live else { return }
            live = text
            self.write(self.isTerminal ? "\r\u{1B}[K  \(text)" : "  \(text)\n")
        }
    }

    private static func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}
