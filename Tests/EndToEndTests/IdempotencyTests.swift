import Foundation
import LocalStack
import Models
import Testing

extension EndToEnd {
    /// Creating requests of all four services whose processes are killed at any point: a repeat gives the first answer, and there is one effect.
    @Suite struct IdempotencyTests {
        @Test func killedAnywhereARepeatGivesTheFirstAnswerAndOneEffect() async throws {
            try await Self.withMember("anywhere") { trial in
                var trial = trial
                let durations = try await trial.measure()
                for _ in 0..<3 {
                    try await trial.sweep([.integrations, .campaigns, .webhooks], durations)
                    try await trial.sweep([.gateway], durations)
                }
                for target in ServiceName.allCases {
                    let tally = try #require(trial.tally[target])
                    print("idempotency, \(target.rawValue) killed: \(tally)")
                    #expect(tally.cut > 0, "no kill of \(target.rawValue) hit a request")
                }
                try await trial.expectOneEffectEach()
            }
        }

        @Test func killedBeforeTheKeyIsStoredNothingHasHappened() async throws {
            try await Self.withMember("before") { trial in
                var trial = trial
                let answers = try await trial.strike(.beforeTheKeyIsStored, killing: ServiceName.allCases)
                for (request, answer) in answers { #expect(!answer.isReplay, "\(request.name)") }
                try await trial.expectOneEffectEach()
            }
        }

        @Test func killedWithinTheCommitTheFirstAnswerIsKept() async throws {
            try await Self.withMember("commit") { trial in
                var trial = trial
                let answers = try await trial.strike(.inTheCommit, killing: ServiceName.allCases)
                for (request, answer) in answers { #expect(answer.isReplay, "\(request.name)") }
                try await trial.expectOneEffectEach()
            }
        }

        @Test(arguments: EffectHold.Point.allCases)
        func aDoorKilledWhileTheEffectIsUnderWayLeavesOneEffect(_ point: EffectHold.Point) async throws {
            try await Self.withMember("door-\(point == .inTheCommit ? "c" : "k")") { trial in
                var trial = trial
                _ = try await trial.strike(point, killing: [.gateway])
                try await trial.expectOneEffectEach()
            }
        }

        private static func withMember(_ name: String, _ body: (IdempotencyTrial) async throws -> Void) async throws {
            try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let member = try await door.registered(as: "Repeat-\(name)")
                let mail: JSONValue = [
                    "provider": "smtp", "name": "mailer",
                    "config": ["host": "127.0.0.1", "port": .integer(Int64(EndToEnd.stack.settings.sinkPort)), "security": "none"],
                ]
                try await IdempotencyTrial.waitUntilOpen(member)
                let mailer = try #require(try await member.call(.post, "/api/v1/integrations", mail)["id"]?.integerValue)
                try await body(IdempotencyTrial(EndToEnd.stack, member, name: name, mailer: mailer))
            }
        }
    }
}
