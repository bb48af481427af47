import Models
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing
import Transport

@testable import ServiceKit

/// Calls over connections of an event loop follow the rules of all calls.
@Suite struct LoopCallTests {
    /// Nothing listens on port 1 of loopback.
    private static let dead = "http://127.0.0.1:1"

    /// What a call came to.
    private struct Outcome: Sendable {
        var status: Int?
        var body = ""
        var failure: ServiceCallError.Kind?
    }

    private final class Receiver: CallReceiver {
        private var outcome = Outcome()
        private let promise: EventLoopPromise<Outcome>

        init(_ promise: EventLoopPromise<Outcome>) { self.promise = promise }

        func received(_ head: HTTPResponseHead) { self.outcome.status = Int(head.status.code) }
        func received(_ bytes: ByteBuffer) { self.outcome.body += String(buffer: bytes) }
        func readCompleted() {}
        func ended() { self.promise.succeed(self.outcome) }
        func failed(_ error: ServiceCallError) {
            self.outcome.failure = error.kind
            self.promise.succeed(self.outcome)
        }
    }

    /// One event loop with its calls.
    private struct Setting: Sendable {
        let client: ServiceClient
        let calls: NIOLoopBound<LoopCalls>

        init(_ urls: [String]) async throws {
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            self.client = ServiceClient(
                from: .gateway,
                to: .campaigns,
                replicas: urls,
                identities: try TestKeys.identities(.gateway),
                client: HTTPClient(.inside(), logger: TestLog.quiet)
            )
            self.calls = try await eventLoop.submit { NIOLoopBound(LoopCalls(on: eventLoop), eventLoop: eventLoop) }.get()
        }

        func get(total: Duration = .seconds(10), cancelledAfter limit: TimeAmount? = nil) async throws -> Outcome {
            var timeouts = Timeouts()
            timeouts.total = total
            let request = LoopRequest(
                target: "/api/v1/campaigns",
                headers: [],
                principal: .user(.viewer),
                publicURL: "http://localhost/api/v1/campaigns",
                clientAddress: nil,
                requestID: "loop-1",
                traceParent: TraceParent(),
                timeouts: timeouts
            )
            let sending = NIOLoopBoundBox<LoopRequest?>.makeBoxSendingValue(request, eventLoop: self.calls.eventLoop)
            return try await self.calls.eventLoop.flatSubmit {
                let promise = self.calls.eventLoop.makePromise(of: Outcome.self)
                guard let request = sending.value else { return promise.futureResult }
                let call = self.client.begin(request, on: self.calls.value, for: Receiver(promise))
                if let limit {
                    self.calls.eventLoop.assumeIsolated().scheduleTask(in: limit) {
                        call.cancel()
                        promise.fail(CancellationError())
                    }
                }
                return promise.futureResult
            }.get()
        }
    }

    @Test func oneConnectionServesManyCalls() async throws {
        let replica = try ScriptedReplica { _ in .say(ScriptedReplica.whole) }
        let setting = try await Setting([replica.url])
        for _ in 0..<5 {
            let outcome = try await setting.get()
            #expect(outcome.status == 200)
            #expect(outcome.body == "hello")
        }
        #expect(replica.connections.value == 1)
        #expect(replica.requests.value == 5)
    }

    @Test func aKeptConnectionThatWasClosedCostsNoCall() async throws {
        // The second request arrives on a connection that is closed without a word.
        let replica = try ScriptedReplica { $0 == 2 ? .close : .say(ScriptedReplica.whole) }
        let setting = try await Setting([replica.url])
        for _ in 0..<3 { #expect(try await setting.get().body == "hello") }
        #expect(replica.connections.value == 2)
    }

    @Test func aConnectionThatTheReplicaEndsIsNotKept() async throws {
        let replica = try ScriptedReplica { _ in .sayLast("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello") }
        let setting = try await Setting([replica.url])
        for _ in 0..<3 { #expect(try await setting.get().body == "hello") }
        #expect(replica.connections.value == 3)
    }

    /// What the replica did cannot be known: nothing is sent again.
    @Test func aNewConnectionThatBreaksOffIsABrokenCall() async throws {
        let replica = try ScriptedReplica { _ in .close }
        #expect(try await Setting([replica.url]).get().failure == .broken)
        #expect(replica.requests.value == 1)
    }

    @Test func anAnswerCutShortIsABrokenCall() async throws {
        let replica = try ScriptedReplica { _ in .sayLast("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello") }
        let outcome = try await Setting([replica.url]).get()
        #expect(outcome.status == 200)
        #expect(outcome.failure == .broken)
    }

    @Test(arguments: ["nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"])
    func whatIsNoAnswerIsABrokenCall(text: String) async throws {
        let replica = try ScriptedReplica { _ in .say(text) }
        #expect(try await Setting([replica.url]).get().failure == .broken)
        try await eventually("the connection is given up") { replica.ended.value == 1 }
    }

    /// Something of an answer had come: that is no connection found closed.
    @Test func whatIsNoAnswerOnAKeptConnectionIsNotAskedAgain() async throws {
        let replica = try ScriptedReplica { $0 == 1 ? .say(ScriptedReplica.whole) : .say("nonsense\r\n\r\n") }
        let setting = try await Setting([replica.url])
        #expect(try await setting.get().body == "hello")
        #expect(try await setting.get().failure == .broken)
        #expect(replica.requests.value == 2)
    }

    @Test func anAnswerThatItsConnectionWasToEndIsBrokenByAReset() async throws {
        let replica = try ScriptedReplica { _ in .sayAndReset("HTTP/1.1 200 OK\r\n\r\nhal") }
        let outcome = try await Setting([replica.url]).get()
        #expect(outcome.status == 200)
        #expect(outcome.failure == .broken)
    }

    @Test func anAnswerThatItsConnectionEndsIsWhole() async throws {
        let replica = try ScriptedReplica { _ in .sayLast("HTTP/1.1 200 OK\r\n\r\nhello") }
        let outcome = try await Setting([replica.url]).get()
        #expect(outcome.body == "hello")
        #expect(outcome.failure == nil)
    }

    @Test func interimAnswersArePassedOver() async throws {
        let replica = try ScriptedReplica { _ in .say("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ScriptedReplica.whole) }
        let outcome = try await Setting([replica.url]).get()
        #expect(outcome.status == 200)
        #expect(outcome.body == "hello")
    }

    /// What nobody asked for must not answer the next call.
    @Test func bytesBehindAnAnswerEndTheConnection() async throws {
        let extra = ScriptedReplica.whole.replacing("hello", with: "wrong")
        let replica = try ScriptedReplica { .say($0 == 1 ? ScriptedReplica.whole + extra : ScriptedReplica.whole) }
        let setting = try await Setting([replica.url])
        for _ in 0..<3 { #expect(try await setting.get().body == "hello") }
        #expect(replica.connections.value == 2)
    }

    @Test func aDeadReplicaCostsNoCall() async throws {
        let replica = try ScriptedReplica { _ in .say(ScriptedReplica.whole) }
        let setting = try await Setting([Self.dead, replica.url])
        for _ in 0..<20 { #expect(try await setting.get().body == "hello") }
    }

    @Test func noReplicaIsACallNotSent() async throws {
        #expect(try await Setting([Self.dead]).get().failure == .notSent)
    }

    @Test func aSilentReplicaIsWaitedForUntilTheCallsTimeIsOver() async throws {
        let replica = try ScriptedReplica { _ in .keepSilent }
        #expect(try await Setting([replica.url]).get(total: .milliseconds(400)).failure == .timedOut)
        try await eventually("the connection is given up") { replica.ended.value == 1 }
    }

    @Test func aCancelledCallEndsItsConnectionAndTellsNothing() async throws {
        let replica = try ScriptedReplica { _ in .keepSilent }
        let setting = try await Setting([replica.url])
        await #expect(throws: CancellationError.self) { try await setting.get(cancelledAfter: .milliseconds(100)) }
        try await eventually("the connection is given up") { replica.ended.value == 1 }
    }
}
