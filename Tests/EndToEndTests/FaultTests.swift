import LocalStack
import Testing

extension EndToEnd {
    @Suite struct Faults {
        /// One fault per target in the middle of a small campaign; `make ledger` repeats them on large ones.
        @Test(arguments: Fault.allCases)
        func nobodyIsLostOrReachedTwice(_ fault: Fault) async throws {
            let name = "t" + fault.rawValue.filter(\.isLetter).lowercased()
            let summary = try await FaultRun(stack: EndToEnd.stack, fault: fault, name: name, freeze: .seconds(11)).run()
            #expect(summary.contactsSynced == EndToEnd.contacts)
            #expect(summary.missing == [])
            #expect(summary.duplicated == [])
            #expect(summary.isWebhookVerified)
        }

        @Test func aQuietRunHasNobodyInDoubt() async throws {
            let job = DemoJob(stack: EndToEnd.stack, name: "quiet")
            try await EndToEnd.stack.renewSink()
            let (_, summary) = try await job.run(email: "quiet@demo.example", password: "correct horse battery")
            #expect(summary.isExact)
            #expect(summary.inDoubt == [])
            #expect(summary.messagesAtSink == EndToEnd.contacts)
            #expect(summary.accepted == EndToEnd.contacts)
        }
    }
}
