import Testing

@testable import ServiceKit

@Suite struct HeaderNamesTests {
    @Test(arguments: ["te", "TE", "X-Request-Id", "x-request-id", "Content-Length"]) func namesAreFoundInAnyCase(name: String) {
        let names: HeaderNames = ["te", "X-Request-ID", "content-length"]
        #expect(names.contains(name))
    }

    @Test(arguments: ["", "t", "tee", "x-request-id2", "content_length", "content\u{0D}length", "a-name-longer-than-every-other"])
    func otherNamesAreNot(name: String) {
        let names: HeaderNames = ["te", "X-Request-ID", "content-length"]
        #expect(!names.contains(name))
    }

    @Test func beginningsAreFoundInAnyCase() {
        #expect("X-Forwarded-For".isName(beginningWith: "x-forwarded-"))
        #expect("x-forwarded-".isName(beginningWith: "x-forwarded-"))
        #expect(!"x-forwarded".isName(beginningWith: "x-forwarded-"))
        #expect(!"xx-forwarded-for".isName(beginningWith: "x-forwarded-"))
    }
}
