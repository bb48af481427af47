import Models
import Synchronization

/// Who was sent what: the events as the publisher made them, and what the receiver did with each.
final class LedgerBook: Sendable {
    /// An event and its fate. Its number is its place in the book.
    private struct Entry {
        var id: String
        var endpoint: Int
        var receptions = 0
        /// Failures by the plan.
        var failures = 0
        var takenSilently = 0
        /// Answers with status 200 that went out whole, or whose head did.
        var answered = 0
        /// The book's count of answers at the last of them.
        var lastAnswer = 0
        /// Repeats that faults excuse, and up to which answer they have been looked at.
        var excused = 0
        var excusedUpTo = 0
        /// Receptions when its delivery was first seen to have succeeded.
        var receptionsAtSuccess: Int?
        var bodyHash = 0
    }

    private struct State {
        var entries: [Entry] = []
        var numbers: [String: Int] = [:]
        /// Deliveries that each endpoint has had.
        var deliveries: [Int]
        var answers = 0
        var totals = LedgerTotals()
    }

    private let plan: LedgerPlan
    private let state: Mutex<State>

    init(_ plan: LedgerPlan) {
        self.plan = plan
        self.state = Mutex(State(deliveries: Array(repeating: 0, count: plan.endpoints)))
    }

    // MARK: - The publisher's side

    /// Writes an event down before it is sent. Endpoints take turns.
    /// - Returns: its number and its endpoint.
    func add(_ id: String) -> (number: Int, endpoint: Int) {
        self.state.withLock { state in
            let number = state.entries.count
            let endpoint = number % self.plan.endpoints
            state.entries.append(Entry(id: id, endpoint: endpoint))
            state.numbers[id] = number
            return (number, endpoint)
        }
    }

    // MARK: - The receiver's side

    /// A whole request came in.
    /// - Returns: the event's number, and what is to be done with it; nil for a request that is no event of this run, or not as it must be.
    func receive(_ endpoint: Int, id: String, body: [UInt8]) -> (number: Int, conduct: Conduct)? {
        let hash = body.hashValue
        return self.state.withLock { state in
            guard let number = state.numbers[id], state.entries[number].endpoint == endpoint else {
                state.totals.strangers += 1
                return nil
            }
            if state.entries[number].receptions == 0 {
                guard Self.isWhole(body, id: id, number: number, endpoint: endpoint) else {
                    state.totals.strangers += 1
                    return nil
                }
                state.entries[number].bodyHash = hash
                state.totals.received += 1
            } else {
                state.totals.repeats += 1
                if state.entries[number].bodyHash != hash { state.totals.changed += 1 }
            }
            var conduct = self.plan.conduct(of: endpoint, delivery: state.deliveries[endpoint])
            state.deliveries[endpoint] += 1
            if !conduct.saysTaken {
                if state.entries[number].failures == LedgerPlan.mostFailures {
                    conduct = .accept
                } else {
                    state.entries[number].failures += 1
                }
            }
            state.entries[number].receptions += 1
            if conduct.takesSilently { state.entries[number].takenSilently += 1 }
            state.totals.conducts[conduct, default: 0] += 1
            return (number, conduct)
        }
    }

    /// The event in the body is the one that the header names, and belongs here.
    private static func isWhole(_ body: [UInt8], id: String, number: Int, endpoint: Int) -> Bool {
        guard let event = try? JSONValue(parsing: body), event["id"]?.stringValue == id else { return false }
        return event["data"]?["recipients"] == .integer(Int64(number)) && event["data"]?["campaign_id"] == .integer(Int64(endpoint))
    }

    /// A 200 has gone out.
    func answered(_ number: Int) {
        self.state.withLock { state in
            state.answers += 1
            if state.entries[number].answered == 0 { state.totals.taken += 1 }
            state.entries[number].answered += 1
            state.entries[number].lastAnswer = state.answers
        }
    }

    // MARK: - Faults

    /// Stands for this moment in ``excuse(_:until:)``.
    var mark: Int { self.state.withLock(\.answers) }

    /// Notes what was in flight at a fault: of the deliveries that the database holds as under way, those that had been answered 200 by then.
    /// Each answer excuses one repeat.
    /// - Returns: how many of them the receiver had been given, and how many of those it had answered 200.
    func excuse(_ ids: [String], until mark: Int) -> (begun: Int, answered: Int) {
        self.state.withLock { state in
            var (begun, answered) = (0, 0)
            for number in ids.compactMap({ state.numbers[$0] }) {
                let entry = state.entries[number]
                guard entry.receptions > 0 else { continue }
                begun += 1
                guard entry.answered > entry.excusedUpTo, entry.lastAnswer <= mark else { continue }
                answered += 1
                state.entries[number].excused += 1
                state.entries[number].excusedUpTo = entry.answered
            }
            return (begun, answered)
        }
    }

    /// Notes events whose delivery the database holds as succeeded while the service is away: none of them may come again.
    func succeeded(_ ids: [String]) {
        self.state.withLock { state in
            for number in ids.compactMap({ state.numbers[$0] }) where state.entries[number].receptionsAtSuccess == nil {
                state.entries[number].receptionsAtSuccess = state.entries[number].receptions
            }
        }
    }

    // MARK: - Reading

    var published: Int { self.state.withLock { $0.entries.count } }
    var taken: Int { self.state.withLock { $0.totals.taken } }

    func totals() -> LedgerTotals {
        self.state.withLock { state in
            var totals = state.totals
            for entry in state.entries {
                if entry.answered == 0 { totals.lost.append(entry.id) }
                let surplus = entry.answered - 1
                if surplus > 0 {
                    totals.duplicates += 1
                    totals.surplus += surplus
                    if surplus > entry.excused { totals.unexcused.append(entry.id) }
                }
                if let before = entry.receptionsAtSuccess, entry.receptions > before { totals.repeatedAfterSuccess.append(entry.id) }
                totals.repeatsAfterSilence += min(entry.takenSilently, max(0, entry.receptions - 1))
            }
            totals.published = state.entries.count
            return totals
        }
    }
}
