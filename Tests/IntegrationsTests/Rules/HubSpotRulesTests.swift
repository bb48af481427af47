import Foundation
import HTTPTypes
import Models
import Testing

@testable import Integrations

@Suite struct HubSpotRulesTests {
    private func contact(_ properties: String) throws -> SourceContact {
        try HubSpotContact(try JSONValue(parsing: #"{"id":"7","properties":{\#(properties)},"archived":false}"#.utf8)).source()
    }

    @Test func aContactIsReadInTheHousesShape() throws {
        let read = try self.contact(
            #""email":" Ada@EXAMPLE.org ","firstname":"Ada","lastname":"","phone":null,"mobilephone":"+49 1","jobtitle":null,"#
                + #""lastmodifieddate":"2026-03-12T10:04:17.969Z""#
        )
        #expect(read.fields.externalID == "7")
        #expect(read.fields.email == "Ada@example.org")
        #expect(read.fields.lastName == nil)
        #expect(read.fields.phone == "+49 1")
        #expect(read.fields.updatedAt.map(Timestamp.format) == "2026-03-12T10:04:17.969Z")
    }

    @Test func aTouchIsNoChangeButAPropertyIs() throws {
        let one = try self.contact(#""email":"a@b.c","lastmodifieddate":"2026-03-12T10:04:17.969Z""#)
        let touched = try self.contact(#""email":"a@b.c","lastmodifieddate":"2026-03-13T10:04:17.969Z""#)
        let changed = try self.contact(#""email":"a@b.d","lastmodifieddate":"2026-03-12T10:04:17.969Z""#)
        #expect(one.payloadHash == touched.payloadHash)
        #expect(one.payloadHash != changed.payloadHash)
    }

    @Test func aNULNeverReachesPostgres() throws {
        let read = try self.contact(#""email":"a@b.c","firstname":"A\u0000da""#)
        #expect(read.fields.firstName == "Ada")
        #expect(!read.raw.text.contains("\\u0000"))
    }

    @Test(arguments: [#"{}"#, #"{"results":{}}"#, #"{"results":[{"properties":{}}]}"#, #"{"results":[{"id":""}]}"#])
    func aPageThatIsNoneIsNeverSkipped(_ body: String) throws {
        let json = try JSONValue(parsing: body.utf8)
        #expect(throws: ProviderFailure.self) { try HubSpotPage(json) }
    }

    @Test(arguments: [
        (401, "{}", "unauthorized"), (403, #"{"category":"MISSING_SCOPES"}"#, "unauthorized"),
        (429, #"{"policyName":"TEN_SECONDLY_ROLLING"}"#, "wait 10"), (429, #"{"policyName":"SECONDLY"}"#, "wait 1"),
        (429, #"{"policyName":"DAILY"}"#, "wait 1800"), (429, "<html>", "wait 10"), (423, "{}", "wait 2"), (477, "{}", "wait 60"),
        (500, "{}", "transient"), (502, "", "transient"), (524, "", "transient"), (400, "{}", "refused"), (404, "{}", "refused"),
    ])
    func anAnswerSaysWhatHasToHappenNext(_ status: Int, _ body: String, _ expected: String) {
        let failure = HubSpotAnswer(HTTPResponse(status: .init(code: status)), Array(body.utf8)).failure
        let word =
            switch failure {
            case .unauthorized: "unauthorized"
            case .wait(let seconds, _): "wait \(Int(seconds))"
            case .transient: "transient"
            case .refused: "refused"
            case nil: "none"
            }
        #expect(word == expected)
    }

    @Test(arguments: [
        HubSpotCursor.full(after: nil, since: 5), .full(after: "9", since: 5), .changes(from: 7, since: 6),
        .tied(at: 7, above: 3, since: 2),
        .archived(after: "x", since: 4, endsFullPass: true),
    ])
    func aCursorComesBackAsItWasSaved(_ cursor: HubSpotCursor) {
        #expect(HubSpotCursor(json: cursor.json) == cursor)
    }

    @Test func aSearchGoesOnAtTheLastTimeSeen() {
        let seen = [(time: Int64(1_000_000), id: Int64(1)), (time: 2_000_000, id: 2)]
        let next = HubSpotSearch.next(after: .changes(from: 500_000, since: 500_000), seen: seen, hasMore: true)
        #expect(next == .changes(from: 2_000_000, since: 1_700_000))
    }

    @Test func aTieIsReadById() {
        let seen = [(time: Int64(7), id: Int64(4)), (time: 7, id: 3)]
        #expect(HubSpotSearch.next(after: .changes(from: 7, since: 7), seen: seen, hasMore: true) == .tied(at: 7, above: 0, since: 7))
        #expect(HubSpotSearch.next(after: .tied(at: 7, above: 0, since: 7), seen: seen, hasMore: true) == .tied(at: 7, above: 4, since: 7))
        #expect(HubSpotSearch.next(after: .tied(at: 7, above: 4, since: 7), seen: [], hasMore: false) == .changes(from: 8, since: 7))
    }

    @Test func aQuietAccountDoesNotDriftIntoThePast() {
        let quiet = HubSpotSearch.next(after: .changes(from: 900_000, since: 900_000), seen: [], hasMore: false)
        #expect(quiet == .archived(after: nil, since: 900_000, endsFullPass: false))
        let seen = [(time: Int64(1_000_000), id: Int64(1))]
        let same = HubSpotSearch.next(after: .changes(from: 900_000, since: 900_000), seen: seen, hasMore: false)
        #expect(same == .archived(after: nil, since: 900_000, endsFullPass: false))
    }

    /// Contacts that share times in every way, in pages of three: each is seen, whatever changes meanwhile.
    @Test(arguments: 0..<50)
    func noContactIsSkipped(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var contacts = (1...40).map { (time: Int64.random(in: 0...9, using: &random) * 400_000, id: Int64($0)) }
        var cursor = HubSpotCursor.changes(from: 0, since: 0)
        var seen: Set<Int64> = []
        for _ in 0..<1000 {
            let page: [(time: Int64, id: Int64)]
            switch cursor {
            case .changes(let from, _): page = contacts.filter { $0.time >= from }.sorted { $0.time < $1.time }
            case .tied(let at, let above, _): page = contacts.filter { $0.time == at && $0.id > above }.sorted { $0.id < $1.id }
            case .full, .archived: page = []
            }
            if case .archived = cursor { break }
            let answered = Array(page.prefix(3))
            seen.formUnion(answered.map(\.id))
            cursor = HubSpotSearch.next(after: cursor, seen: answered, hasMore: page.count > 3)
            // One that was not read yet changes: under an offset the others would slide past the reader.
            let index = Int.random(in: contacts.indices, using: &random)
            if Bool.random(using: &random), contacts[index].time < 10_000_000 { contacts[index].time = 4_000_000 + contacts[index].id }
        }
        #expect(seen.count == 40)
    }
}

private struct SeededRandom: RandomNumberGenerator {
    var seed: UInt64

    /// SplitMix64.
    mutating func next() -> UInt64 {
        self.seed &+= 0x9E37_79B9_7F4A_7C15
        var z = self.seed
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
