import Models
import Testing

@testable import Gateway

@Suite struct CallSlotsTests {
    @Test func oneOrganizationLeavesRoomForTheOthers() throws {
        let slots = CallSlots()
        var held: [CallSlots.Slot] = []
        for _ in 0..<16 { held.append(try slots.enter(OrganizationID(1), isLong: false)) }
        let refusal = #expect(throws: Problem.self) { try slots.enter(OrganizationID(1), isLong: false) }
        #expect(refusal?.kind == .quotaExceeded)
        #expect(refusal?.retryAfter == 1)
        held.append(try slots.enter(OrganizationID(2), isLong: false))
        held.removeFirst()
        held.append(try slots.enter(OrganizationID(1), isLong: false))
        #expect(held.count == 17)
    }

    @Test func callsThatWaitForProvidersAreFew() throws {
        let slots = CallSlots()
        var held: [CallSlots.Slot] = []
        for organization in 1...8 {
            for _ in 0..<2 { held.append(try slots.enter(OrganizationID(Int64(organization)), isLong: true)) }
            #expect(throws: Problem.self) { try slots.enter(OrganizationID(Int64(organization)), isLong: true) }
        }
        let refusal = #expect(throws: Problem.self) { try slots.enter(OrganizationID(9), isLong: true) }
        #expect(refusal?.kind == .unavailable)
        held.append(try slots.enter(OrganizationID(9), isLong: false))
        held.removeAll()
        held.append(try slots.enter(OrganizationID(9), isLong: true))
    }
}
