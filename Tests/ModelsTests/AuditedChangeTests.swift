import Testing

@testable import Models

@Suite struct AuditedChangeTests {
    @Test func onlyMembersThatDifferAreTold() {
        let change = AuditedChange(from: ["name": "a", "limit": 5, "gone": true], to: ["name": "a", "limit": nil, "new": 1])
        #expect(change.details == ["before": ["limit": 5, "gone": true], "after": ["limit": nil, "new": 1]])
        #expect(change.details(named: "n")["name"] == "n")
        #expect(!change.isEmpty)
        #expect(AuditedChange(from: ["name": "a"], to: ["name": "a"]).isEmpty)
    }
}
