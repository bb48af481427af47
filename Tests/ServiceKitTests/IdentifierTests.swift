import HTTPTypes
import Hummingbird
import Models
import Testing

@testable import ServiceKit

@Suite struct IdentifierTests {
    @Test func eventIDsAreVersion7AndGrow() throws {
        let ids = (0..<10_000).map { _ in EventID.make("evt") }
        #expect(Set(ids).count == ids.count)
        #expect(ids == ids.sorted())
        let digits = Array(try #require(ids.first).dropFirst(4))
        #expect(digits.count == 32)
        #expect(digits[12] == "7")
        #expect("89ab".contains(digits[16]))
    }

    @Test func requestIDIsTakenOnlyWhereItIsHarmless() {
        #expect(RequestIdentifiers.requestID(given: "abc-1.2:3") == "abc-1.2:3")
        for bad in ["", "a b", "a\"b", "ä", "a\nb", String(repeating: "a", count: 129)] {
            #expect(RequestIdentifiers.requestID(given: bad).hasPrefix("req_"))
        }
    }

    @Test func traceParentIsValidated() throws {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let trace = try #require(TraceParent(header))
        #expect(trace.description == header)
        #expect(trace.child().traceID == trace.traceID)
        #expect(trace.child().parentID != trace.parentID)
        #expect(TraceParent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more") != nil)
        for bad in [
            "", "00-4bf9-00f067aa0ba902b7-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", header + "-more",
        ] { #expect(TraceParent(bad) == nil) }
    }

    @Test func pathsFindTheirRoutes() throws {
        let index = RouteIndex.catalogue
        for route in RouteCatalogue.all {
            let path = route.path([
                "id": "12", "file": "page.css", "kind": "not-found", "event": "campaign_sent", "organization_id": "12", "event_id": "evt_1",
            ])
            guard case .found(let found, _) = index.match(.init(rawValue: route.method.rawValue) ?? .get, path) else {
                Issue.record("\(route.name) is not found")
                continue
            }
            #expect(found == route)
        }
    }

    @Test func literalSegmentsGoBeforeParameters() {
        guard case .found(let route, _) = RouteIndex.catalogue.match(.get, "/api/v1/integrations/providers") else {
            Issue.record("not found")
            return
        }
        #expect(route == .listProviders)
        // DELETE is known only for the parameter.
        guard case .found(let other, let parameters) = RouteIndex.catalogue.match(.delete, "/api/v1/integrations/providers") else {
            Issue.record("not found")
            return
        }
        #expect(other == .deleteIntegration)
        #expect(parameters.get("id") == "providers")
    }

    @Test func parametersAreDecoded() {
        guard case .found(_, let parameters) = RouteIndex.catalogue.match(.get, "/api/v1/contacts/a%2Fb%20c") else {
            Issue.record("not found")
            return
        }
        #expect(parameters.get("id") == "a/b c")
    }

    @Test(arguments: [
        "/", "", "*", "/api/v1/contacts/", "//api/v1/contacts", "/api/v1//contacts", "/api/v1/./contacts", "/api/v1/x/../contacts",
        "/api/v1/contacts/%zz", "/api/v1/contacts/%00", "/api/v1/contacts/%ff", "/API/v1/contacts",
    ])
    func strangePathIsUnknown(_ path: String) {
        if case .unknown = RouteIndex.catalogue.match(.get, path) { return }
        Issue.record("\(path) is known")
    }

    @Test func otherMethodIsToldApart() {
        guard case .wrongMethod(let methods) = RouteIndex.catalogue.match(.put, "/api/v1/campaigns/3") else {
            Issue.record("not told apart")
            return
        }
        #expect(methods == [.delete, .get, .patch])
    }

    @Test func tableTakesOnlyItsOwnRoutes() async {
        await #expect(processExitsWith: .failure) {
            RouteTable(service: .campaigns).mount(.listProviders) { _, _ in .noContent }
        }
        await #expect(processExitsWith: .failure) {
            let invented = Route(.get, "/api/v1/invented", .campaigns, .member(.viewer, .contactsRead), "Not in the catalogue")
            RouteTable(service: .campaigns).mount(invented) { _, _ in .noContent }
        }
        await #expect(processExitsWith: .failure) {
            RouteTable(service: .campaigns).mountOpen(.listContacts) { _, _ in .noContent }
        }
    }

    /// The example of RFC 9110 section 5.6.7.
    @Test func datesOfAnswersAreWrittenAsTheStandardSays() {
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}
