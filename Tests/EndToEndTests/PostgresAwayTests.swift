import LocalStack
import Testing

extension EndToEnd {
    /// The end of `make limits`, on the stack of these tests.
    @Suite struct PostgresAway {
        @Test func eachPolicyDoesWhatItSaysAndServiceComesBack() async throws {
            let (findings, recovery) = try await AwayRun(stack: EndToEnd.stack).run()
            for finding in findings {
                #expect(finding.isAsSaid, "\(finding.policy), \(finding.situation), \(finding.asked): \(finding.answered)")
            }
            #expect(Set(findings.map(\.policy)) == Set(AwayRun.says.keys))
            #expect(recovery < 10)
        }
    }
}
