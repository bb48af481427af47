import Models
import Testing

@testable import Gateway

@Suite struct CallSlotsTests {
    private static let few = CallSlots.Limits(all: 4, perOrganization: 3, waiting: 2, longPerOrganization: 2, longOfAll: 3)

    /// Fills the organization's places.
    private func fill(_ slots: CallSlots, _ organization: Int64, _ count: Int) async throws -> [CallSlots.Slot] {
        var held: [CallSlots.Slot] = []
        for _ in 0..<count { held.append(try await slots.enter(OrganizationID(organization), isLong: false)) }
        return held
    }

    @Test func oneOrganizationLeavesRoomForTheOthersAndWaitsForItself() async throws {
        let slots = CallSlots(Self.few)
        var held = try await self.fill(slots, 1, 3)
        async let waits = slots.enter(OrganizationID(1), isLong: false)
        // Another one is let in at once, although somebody waits.
        let other = try await self.fill(slots, 2, 1)
        held.removeFirst()
        _ = try await waits
        #expect(other.count == 1)
    }

    @Test func aLineHasAnEnd() async throws {
        let slots = CallSlots(Self.few)
        let held = try await self.fill(slots, 1, 3)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2 { group.addTask { _ = try await slots.enter(OrganizationID(1), isLong: false) } }
            try await Task.sleep(for: .milliseconds(100))
            let refusal = await #expect(throws: Problem.self) { try await slots.enter(OrganizationID(1), isLong: false) }
            #expect(refusal?.kind == .quotaExceeded)
            group.cancelAll()
            while let result = await group.nextResult() { #expect(throws: CancellationError.self) { try result.get() } }
        }
        #expect(held.count == 3)
        // Those who gave up have left the line.
        let more = Task { try await slots.enter(OrganizationID(1), isLong: false) }
        try await Task.sleep(for: .milliseconds(50))
        more.cancel()
        await #expect(throws: CancellationError.self) { try await more.value }
    }

    @Test func organizationsTakeTurns() async throws {
        let slots = CallSlots(CallSlots.Limits(all: 1, perOrganization: 1, waiting: 100))
        var held: CallSlots.Slot? = try await slots.enter(OrganizationID(1), isLong: false)
        let (order, note) = AsyncStream<Int64>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for organization: Int64 in [1, 1, 1, 2] {
                group.addTask {
                    let slot = try await slots.enter(OrganizationID(organization), isLong: false)
                    note.yield(organization)
                    withExtendedLifetime(slot) {}
                }
                try await Task.sleep(for: .milliseconds(30))
            }
            withExtendedLifetime(held) {}
            held = nil
            try await group.waitForAll()
        }
        note.finish()
        var seen: [Int64] = []
        for await organization in order { seen.append(organization) }
        #expect(seen == [1, 2, 1, 1])
    }

    @Test func callsThatWaitForProvidersAreFew() async throws {
        let slots = CallSlots(CallSlots.Limits(longPerOrganization: 2, longOfAll: 3))
        var held: [CallSlots.Slot] = []
        for _ in 0..<2 { held.append(try await slots.enter(OrganizationID(1), isLong: true)) }
        await #expect(throws: Problem.self) { try await slots.enter(OrganizationID(1), isLong: true) }
        held.append(try await slots.enter(OrganizationID(2), isLong: true))
        let refusal = await #expect(throws: Problem.self) { try await slots.enter(OrganizationID(3), isLong: true) }
        #expect(refusal?.kind == .unavailable)
        held.append(try await slots.enter(OrganizationID(3), isLong: false))
        held.removeAll()
        held.append(try await slots.enter(OrganizationID(3), isLong: true))
    }
}
