import Foundation

/// Who listens on a TCP port. That somebody does says little: a child whose port was taken dies, and the other one answers in its place.
enum Listener {
    static func isOn(_ port: Int, process pid: Int32) -> Bool {
        let sockets = self.sockets(on: port)
        guard !sockets.isEmpty else { return false }
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        return descriptors.contains { descriptor in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(descriptor)")).map(sockets.contains) ?? false
        }
    }

    /// The listening sockets by the names that /proc/PID/fd gives them. A line: number, local address:port, remote, state, …, inode.
    private static func sockets(on port: Int) -> Set<String> {
        let listening: Substring = "0A"
        let suffix = ":" + String(format: "%04X", port)
        var names: Set<String> = []
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            for line in self.text(of: table).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                if fields.count > 9, fields[3] == listening, fields[1].hasSuffix(suffix) { names.insert("socket:[\(fields[9])]") }
            }
        }
        return names
    }

    /// The kernel gives such a table a page at a time; Foundation's reading of a whole file ends with the first.
    private static func text(of table: String) -> String {
        guard let file = FileHandle(forReadingAtPath: table) else { return "" }
        defer { try? file.close() }
        return String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    }
}
