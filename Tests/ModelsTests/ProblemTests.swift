import Models
import Testing

@Suite struct ProblemTests {
    @Test(arguments: [
        (Problem.Kind.badRequest, 400), (.validation, 422), (.unauthenticated, 401), (.forbidden, 403), (.notFound, 404),
        (.methodNotAllowed, 405),
        (.conflict, 409), (.gone, 410), (.payloadTooLarge, 413), (.unsupportedMediaType, 415), (.idempotencyMismatch, 422),
        (.idempotencyRunning, 409), (.quotaExceeded, 429), (.internal, 500), (.badGateway, 502), (.unavailable, 503), (.timeout, 504),
        (.secondFactorRequired, 401), (.tooManyAttempts, 429),
    ])
    func statusIsThatOfItsKind(kind: Problem.Kind, status: Int) { #expect(kind.status == status) }

    @Test(arguments: Problem.Kind.allCases)
    func everyKindIsAnErrorWithATitleAndAPathWord(kind: Problem.Kind) {
        #expect((400...599).contains(kind.status))
        #expect(!kind.title.isEmpty && !kind.title.hasSuffix("."))
        #expect(kind.rawValue.allSatisfy { $0.isLowercase || $0 == "-" })
    }

    @Test func validationNamesEveryFault() {
        let one = Problem.validation([.init(pointer: "/name", detail: "is missing")])
        #expect(one.detail == "One field has a fault.")
        let two = Problem.validation(one.errors + [.init(pointer: "/subject", detail: "is empty")])
        #expect(two.kind == .validation)
        #expect(two.errors.map(\.pointer) == ["/name", "/subject"])
        #expect(two.detail == "2 fields have faults.")
    }
}
