import Foundation

enum OpenFileLimit {
    /// Lifts this process's limit of open files to what the system lets it have (getrlimit(2)): login shells give 1024, and each client, replica and
    /// provider connection is one. Where that is refused the limit stays, and `MAXIMUM_CONNECTIONS` should be set below it.
    static func raise() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
