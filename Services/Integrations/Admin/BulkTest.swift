import Database
import Logging
import Models
import ServiceKit

/// `POST /admin/integrations/bulk-test`: `{"integration_ids"?: […]}`; without them all of the organization's.
struct BulkTestInput: Sendable {
    /// Connections tested in one call.
    static let most = 50

    let ids: [IntegrationID]?

    /// - Throws: one validation ``Problem`` that names every fault.
    init(_ body: JSONValue) throws {
        var reader = FieldReader(body)
        let items = reader.optionalArray("integration_ids", 1...Self.most)
        var seen: Set<IntegrationID> = []
        let ids = (items ?? []).enumerated().compactMap { index, item -> IntegrationID? in
            guard let number = item.integerValue, number > 0 else {
                reader.fault(at: "/integration_ids/\(index)", "must be an id")
                return nil
            }
            guard seen.insert(IntegrationID(number)).inserted else {
                reader.fault(at: "/integration_ids/\(index)", "is given more than once")
                return nil
            }
            return IntegrationID(number)
        }
        try reader.finish()
        self.ids = items == nil ? nil : ids
    }

    /// A fault for each id that was not found: another organization's is as one that does not exist.
    static func check(_ ids: [IntegrationID], found: [TestTarget]) throws {
        let known = Set(found.map(\.id))
        let faults = ids.enumerated().filter { !known.contains($0.element) }.map { index, _ in
            Problem.Fault(pointer: "/integration_ids/\(index)", detail: "is no integration of this organization")
        }
        guard faults.isEmpty else { throw Problem.validation(faults) }
    }
}

/// What is to be tested.
struct TestTarget: Sendable {
    let id: IntegrationID
    let provider: String
    let name: String
}

extension TestTarget: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.provider = try row.get("provider")
        self.name = try row.get("name")
    }
}

struct BulkTestItem: Encodable, Sendable {
    enum Outcome: String, Encodable, Sendable, CaseIterable {
        case passed, failed
        /// The time was over before the provider had said anything.
        case timedOut = "timed_out"
        /// It could not be tested, for a reason of this platform.
        case error
    }

    let target: TestTarget
    var outcome: Outcome
    /// For people.
    var detail: String
    /// nil where it was not begun.
    var duration: Duration?

    private enum CodingKeys: String, CodingKey {
        case provider, name, outcome, detail
        case integrationID = "integration_id"
        case milliseconds = "duration_ms"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.target.id, forKey: .integrationID)
        try container.encode(self.target.provider, forKey: .provider)
        try container.encode(self.target.name, forKey: .name)
        try container.encode(self.outcome, forKey: .outcome)
        try container.encode(self.detail, forKey: .detail)
        try container.encode(self.duration.map { Int(($0.seconds * 1_000).rounded()) }, forKey: .milliseconds)
    }
}

struct BulkTestAnswer: Encodable, Sendable {
    var results: [BulkTestItem]
    var counts: [String: Int]
    /// Integrations that are beyond the most that one call tests.
    var notTested: Int

    private enum CodingKeys: String, CodingKey {
        case results, counts
        case notTested = "not_tested"
    }

    init(_ results: [BulkTestItem], notTested: Int) {
        self.results = results
        self.notTested = notTested
        self.counts = Dictionary(BulkTestItem.Outcome.allCases.map { ($0.rawValue, 0) }, uniquingKeysWith: { $1 })
        for result in results { self.counts[result.outcome.rawValue, default: 0] += 1 }
    }
}

/// Tests connections side by side, a few at a time, and ends in time: the gateway lets each organization have two such calls under way.
struct BulkTester: Sendable {
    /// Tests under way at once in one call.
    static let width = 6

    let providers: Providers
    let integrations: IntegrationStore
    let health: ConnectionHealth
    let logger: Logger
    /// Shorter than the route's time-out, so that the answer tells what was found until then.
    var limit = Duration.seconds(50)

    /// A result for each target, in their order.
    func run(_ targets: [TestTarget], in organization: OrganizationID) async -> [BulkTestItem] {
        let end = ContinuousClock.now + self.limit
        var results: [IntegrationID: BulkTestItem] = [:]
        await withTaskGroup(of: BulkTestItem?.self) { group in
            group.addTask {
                // Ends early only when all tests have ended.
                try? await Task.sleep(until: end, clock: .continuous)
                return nil
            }
            var waiting = targets[...]
            for _ in 0..<Self.width { self.begin(&waiting, organization, end, &group) }
            while results.count < targets.count, let ended = await group.next() {
                guard let result = ended else {
                    waiting = []
                    group.cancelAll()
                    continue
                }
                results[result.target.id] = result
                self.begin(&waiting, organization, end, &group)
            }
            group.cancelAll()
        }
        return targets.map { target in
            results[target.id] ?? BulkTestItem(target: target, outcome: .timedOut, detail: "There was no time left to test it.")
        }
    }

    private func begin(
        _ waiting: inout ArraySlice<TestTarget>,
        _ organization: OrganizationID,
        _ end: ContinuousClock.Instant,
        _ group: inout TaskGroup<BulkTestItem?>
    ) {
        guard let target = waiting.popFirst() else { return }
        group.addTask { await self.test(target, organization, end) }
    }

    private func test(_ target: TestTarget, _ organization: OrganizationID, _ end: ContinuousClock.Instant) async -> BulkTestItem {
        let start = ContinuousClock.now
        func item(_ outcome: BulkTestItem.Outcome, _ detail: String) -> BulkTestItem {
            BulkTestItem(target: target, outcome: outcome, detail: detail, duration: ContinuousClock.now - start)
        }
        do {
            guard let connection = try await self.integrations.connection(target.id, in: organization), !connection.integration.isDeleted,
                let provider = self.providers[target.provider]
            else { return item(.error, "The integration is no longer there.") }
            let report = try await provider.test(connection)
            if report.ok {
                try await self.health.recovered(target.id, in: organization)
                return item(.passed, report.detail)
            }
            // What a call says that was cut off at the end is no word of the provider.
            return ContinuousClock.now >= end ? item(.timedOut, Self.tooLate) : item(.failed, report.detail)
        } catch {
            if ContinuousClock.now >= end || error is CancellationError { return item(.timedOut, Self.tooLate) }
            self.logger.error(
                "A connection could not be tested",
                metadata: ["integration_id": "\(target.id)", "error": "\(String(reflecting: error))"]
            )
            return item(.error, "The test could not be carried out.")
        }
    }

    private static let tooLate = "The provider did not answer in time."
}
