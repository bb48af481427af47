import Foundation
import LocalStack
import Models
import Testing

/// Requests under Idempotency-Keys of one organization, processes killed beneath them, and what came of it.
struct IdempotencyTrial {
    /// Requests by what the kill did to them.
    struct Tally: CustomStringConvertible {
        /// Answered in spite of the kill.
        var answered = 0
        /// Sent before the kill and left without an answer; the repeat made the effect.
        var undone = 0
        /// The same, and the effect stood: the repeat was answered from the first.
        var done = 0
        /// Sent when the process was being killed already.
        var late = 0

        var cut: Int { self.undone + self.done }
        var description: String { "\(self.answered) answered, \(self.undone) undone, \(self.done) done unanswered, \(self.late) late" }
    }

    private static let delays = 12

    private let stack: Stack
    private let member: PublicAPI
    private let name: String
    private let mailer: Int64
    private var random = Seeded(state: 20)
    private var requests: [KeyedRequest] = []
    /// By what was killed.
    private(set) var tally: [ServiceName: Tally] = [:]

    init(_ stack: Stack, _ member: PublicAPI, name: String, mailer: Int64) {
        self.stack = stack
        self.member = member
        self.name = name
        self.mailer = mailer
    }

    /// Until the door reaches every service: it keeps away for a while from one that was killed before.
    static func waitUntilOpen(_ member: PublicAPI) async throws {
        for path in ["/api/v1/api/keys", "/api/v1/integrations", "/api/v1/campaigns", "/api/v1/zapier/webhooks"] {
            try await LocalWait.until("\(path) to answer", within: .seconds(30), every: .milliseconds(100)) { () -> Void? in
                (try? await member.status(path)) == 200 ? () : nil
            }
        }
    }

    /// One request of each of these, with a draft to send where one is asked for.
    private mutating func make(_ creations: [Creation]) async throws -> [KeyedRequest] {
        var made: [KeyedRequest] = []
        for creation in creations {
            let name = "\(self.name) \(creation.rawValue) \(self.requests.count + made.count)"
            var campaign: Int64 = 0
            if creation == .send {
                let draft = KeyedRequest.campaign("draft of \(name)", self.mailer)
                campaign = try #require(try await self.member.call(.post, "/api/v1/campaigns", draft)["id"]?.integerValue)
            }
            made.append(KeyedRequest(creation, name, mailer: self.mailer, campaign: campaign))
        }
        self.requests += made
        return made
    }

    /// How long each kind takes beside others, undisturbed: the middle one of several.
    mutating func measure() async throws -> [Creation: Duration] {
        let (requests, member) = (try await self.make((0..<5).flatMap { _ in Creation.allCases }), self.member)
        let taken = try await withThrowingTaskGroup(of: (Creation, Duration).self) { group in
            for request in requests {
                group.addTask {
                    let start = ContinuousClock.now
                    let answer = try await request.send(member)
                    let taken = ContinuousClock.now - start
                    #expect((200..<300).contains(answer.status), "\(request.name)")
                    return (request.creation, taken)
                }
            }
            return try await group.reduce(into: [Creation: [Duration]]()) { $0[$1.0, default: []].append($1.1) }
        }
        return taken.mapValues { $0.sorted()[$0.count / 2] }
    }

    // MARK: - Killing anywhere

    /// Sends requests of every kind that passes the targets so that one kill finds them at points that walk over their whole duration.
    mutating func sweep(_ targets: [ServiceName], _ durations: [Creation: Duration]) async throws {
        try await Self.waitUntilOpen(self.member)
        let creations = Creation.allCases.filter { targets.contains(.gateway) || targets.contains($0.owner) }
        var planned: [(request: KeyedRequest, lead: Duration)] = []
        for step in 0..<Self.delays {
            for request in try await self.make(creations) {
                let longest = (durations[request.creation] ?? .zero) * 1.5
                let place = (Double(step) + Double.random(in: 0..<1, using: &self.random)) / Double(Self.delays)
                planned.append((request, longest * place))
            }
        }
        let answers = try await self.killed(targets, beneath: planned)
        let finals = try await self.settled(planned.map(\.request), first: answers)
        for (index, plan) in planned.enumerated() {
            let target = targets.contains(.gateway) ? ServiceName.gateway : plan.request.creation.owner
            switch (answers[index], finals[index].isReplay) {
            case (.some, _): self.tally[target, default: Tally()].answered += 1
            case (nil, true): self.tally[target, default: Tally()].done += 1
            case (nil, false) where plan.lead < .milliseconds(1): self.tally[target, default: Tally()].late += 1
            case (nil, false): self.tally[target, default: Tally()].undone += 1
            }
        }
    }

    /// Each request is sent `lead` before the kill. Answers what came back; the processes are started again by then.
    private func killed(_ targets: [ServiceName], beneath planned: [(request: KeyedRequest, lead: Duration)]) async throws
        -> [PublicAPI.Answer?]
    {
        let (stack, member) = (self.stack, self.member)
        let kill = ContinuousClock.now + .milliseconds(50) + (planned.map(\.lead).max() ?? .zero)
        return try await withThrowingTaskGroup(of: (Int, PublicAPI.Answer?).self) { group in
            for (index, plan) in planned.enumerated() {
                group.addTask {
                    try await Task.sleep(until: kill - plan.lead, tolerance: .zero)
                    return (index, try await plan.request.attempt(member))
                }
            }
            try await Task.sleep(until: kill, tolerance: .zero)
            await Self.kill(targets, of: stack)
            try await Self.restart(targets, of: stack)
            var answers = [PublicAPI.Answer?](repeating: nil, count: planned.count)
            for try await (index, answer) in group { answers[index] = answer }
            return answers
        }
    }

    private static func kill(_ targets: [ServiceName], of stack: Stack) async {
        for target in targets { await stack.process(target)?.signal(SIGKILL) }
        for target in targets { await stack.kill(target) }
    }

    private static func restart(_ targets: [ServiceName], of stack: Stack) async throws {
        for target in targets { try await stack.launch(target) }
        for target in targets { try await stack.waitUntilReady(target) }
    }

    // MARK: - Killing at one point

    /// One request of each kind stands at the point, the targets are killed and started again; the repeats meet what is left of the first.
    /// - Returns: the first answer that each got.
    mutating func strike(_ point: EffectHold.Point, killing targets: [ServiceName]) async throws
        -> [(request: KeyedRequest, answer: PublicAPI.Answer)]
    {
        let requests = try await self.make(Creation.allCases)
        let (stack, member) = (self.stack, self.member)
        try await EffectHold.during(point, on: stack) { hold in
            try await withThrowingTaskGroup(of: (String, PublicAPI.Answer?).self) { group in
                for request in requests { group.addTask { (request.name, try await request.attempt(member)) } }
                try await hold.waitUntilHeld(requests.map(\.creation))
                await Self.kill(targets, of: stack)
                try await Self.restart(targets, of: stack)
                for try await (name, answer) in group { #expect(answer == nil, "\(name) was held, and answered") }
                for request in requests where targets.contains(request.creation.owner) {
                    // Its transaction has lost its client and not noticed: the key is taken.
                    let answer = try await LocalWait.until("\(request.name) to be let through", within: .seconds(10)) {
                        let answer = try await request.send(member)
                        return answer.status < 500 ? answer : nil
                    }
                    #expect(KeyedRequest.isRunning(answer), "\(request.name): \(answer.status)")
                }
            }
            hold.letGo()
        }
        let none = [PublicAPI.Answer?](repeating: nil, count: requests.count)
        return Array(zip(requests, try await self.settled(requests, first: none)))
    }

    // MARK: - Afterwards

    private func settled(_ requests: [KeyedRequest], first: [PublicAPI.Answer?]) async throws -> [PublicAPI.Answer] {
        try await withThrowingTaskGroup(of: (Int, PublicAPI.Answer).self) { group in
            for (index, request) in requests.enumerated() {
                group.addTask { (index, try await self.settle(request, first: first[index])) }
            }
            var finals: [Int: PublicAPI.Answer] = [:]
            for try await (index, answer) in group { finals[index] = answer }
            return requests.indices.compactMap { finals[$0] }
        }
    }

    /// Repeats until there is an answer, holds it against the first and a later one, and the key against another body.
    /// - Returns: what the repeat was answered.
    @discardableResult
    private func settle(_ request: KeyedRequest, first: PublicAPI.Answer?) async throws -> PublicAPI.Answer {
        let answer = try await request.untilAnswered(self.member)
        if let first {
            #expect(answer.isReplay && answer.status == first.status && answer.bytes == first.bytes, "\(request.name)")
        }
        let again = try await request.untilAnswered(self.member)
        #expect(again.isReplay && again.status == answer.status && again.bytes == answer.bytes, "\(request.name)")
        let other = try await request.untilAnswered(self.member, other: true)
        #expect(other.status == 422 && other.body["type"]?.stringValue?.hasSuffix("idempotency-key-reused") == true, "\(request.name)")
        return answer
    }

    /// One row, one audit entry and one stored key for each request, and none beyond.
    func expectOneEffectEach() async throws {
        let lists: [(Creation, path: String, field: String)] = [
            (.key, "/api/v1/api/keys", "name"), (.integration, "/api/v1/integrations", "name"), (.campaign, "/api/v1/campaigns", "name"),
            (.subscription, "/api/v1/zapier/webhooks", "description"),
        ]
        for (creation, path, field) in lists {
            let found = try await self.member.all(path).compactMap { $0[field]?.stringValue }.filter { $0.hasPrefix("\(self.name) ") }
            #expect(found.sorted() == self.requests(creation).map(\.name).sorted(), "\(creation)")
        }
        try await self.expectOneEntryEach()
        for owner in ServiceName.allCases {
            let count = try await self.stack.postgres.psql(
                nil,
                ["-tAc", "SELECT count(*) FROM \(owner.rawValue).idempotency_keys WHERE key LIKE '\(self.name) %'"]
            )
            let expected = self.requests.count { $0.creation.owner == owner }
            #expect(Int(count.trimmingCharacters(in: .whitespacesAndNewlines)) == expected, "\(owner)")
        }
    }

    private func requests(_ creation: Creation) -> [KeyedRequest] { self.requests.filter { $0.creation == creation } }

    /// Each effect writes its audit entry: two would be two effects, also of a send, which makes no row of its own. Those on their way to the
    /// log count too; one that has just arrived may stand in both places for a moment.
    private func expectOneEntryEach() async throws {
        let me = try await self.member.call(.get, "/api/v1/auth/me")
        let organization = try #require(me["organization"]?["id"]?.integerValue)
        let outboxes = ["integrations", "campaigns", "webhooks"].map {
            "UNION SELECT id, body->>'action', body->>'target' FROM \($0).outbox WHERE organization_id = \(organization)"
        }
        let entries = "SELECT id, action, target FROM gateway.audit_logs WHERE organization_id = \(organization)"
        let question = "SELECT action, target FROM (\(entries) \(outboxes.joined(separator: " "))) AS entry"
        let rows = try await self.stack.postgres.psql(nil, ["-tAc", question]).split(separator: "\n").map { $0.split(separator: "|") }
        for creation in Creation.allCases {
            let targets = rows.filter { $0.first == Substring(creation.action) }.compactMap(\.last)
            #expect(Set(targets).count == targets.count, "\(creation.action) twice")
            // Drafts to be sent and the integration that sends them were made without a key.
            let unkeyed = creation == .campaign ? self.requests(.send).count : creation == .integration ? 1 : 0
            #expect(targets.count == self.requests(creation).count + unkeyed, "\(creation.action)")
        }
    }
}

/// The same numbers in every run (SplitMix64).
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
