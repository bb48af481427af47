/// The sums of a ``LedgerBook``.
package struct LedgerTotals: Sendable {
    package var published = 0
    /// Events that came in at least once.
    package var received = 0
    /// Events that were answered 200.
    package var taken = 0
    /// Events that never were.
    package var lost: [String] = []
    /// Events that were answered 200 more than once, and answers beyond the first.
    package var duplicates = 0
    package var surplus = 0
    /// Those of the duplicates that no fault excuses.
    package var unexcused: [String] = []
    /// Events that came again after their delivery had been seen to have succeeded.
    package var repeatedAfterSuccess: [String] = []
    /// Requests for an event that had come before, and those of them that followed a taking that could not be told.
    package var repeats = 0
    package var repeatsAfterSilence = 0
    /// Repeats whose body was another.
    package var changed = 0
    /// Requests with an id, an event or an endpoint that do not belong together.
    package var strangers = 0
    /// What the receiver did, and how often.
    package var conducts: [Conduct: Int] = [:]
}
