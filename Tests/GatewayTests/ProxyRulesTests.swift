import HTTPTypes
import Models
import NIOHTTP1
import Testing

@testable import Gateway

@Suite struct ForwardedHeadersTests {
    private func fields(_ pairs: [(String, String)]) throws -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in pairs { fields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value)) }
        return fields
    }

    /// Both ways let the same headers pass.
    private func passedToService(_ pairs: [(String, String)]) throws -> [String] {
        let passed = ForwardedHeaders.request(try self.fields(pairs)).map(\.name.canonicalName)
        #expect(ForwardedHeaders.request(HTTPHeaders(pairs)).map { $0.0.lowercased() } == passed)
        return passed
    }

    private func passedToClient(_ pairs: [(String, String)]) throws -> [String] {
        let passed = ForwardedHeaders.response(try self.fields(pairs)).map(\.name.canonicalName)
        #expect(ForwardedHeaders.response(HTTPHeaders(pairs)).map { $0.0.lowercased() } == passed)
        return passed
    }

    @Test func hopByHopHeadersStayHere() throws {
        let passed = try self.passedToService([
            ("Connection", "close, X-Once"), ("Connection", "x-twice"), ("X-Once", "1"), ("X-Twice", "2"), ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"), ("Trailer", "X"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c"), ("HTTP2-Settings", "x"),
            ("Proxy-Authorization", "Basic x"), ("Proxy-Connection", "close"), ("Accept", "application/json"), ("X-Own", "kept"),
        ])
        #expect(passed == ["accept", "x-own", "via"])
    }

    @Test func credentialsAndForgedIdentityStayHere() throws {
        let passed = try self.passedToService([
            ("Authorization", "Bearer x"), ("X-API-Key", "swb_live_x"), ("Cookie", "a=b"), ("Switchboard-Identity", "v1.x.y"),
            ("switchboard-anything", "x"), ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Host", "evil"), ("Forwarded", "for=1.2.3.4"),
            ("X-Real-IP", "1.2.3.4"), ("X-Request-Id", "abc"), ("Idempotency-Key", "k1"), ("Content-Type", "application/json"),
        ])
        #expect(passed == ["idempotency-key", "content-type", "via"])
    }

    @Test func answersPassWithoutWhatIsTheGateways() throws {
        let passed = try self.passedToClient([
            ("Connection", "X-Hop"), ("X-Hop", "1"), ("Transfer-Encoding", "chunked"), ("Switchboard-Identity", "x"), ("Server", "x"),
            ("X-Request-Id", "x"), ("Set-Cookie", "a=b"), ("RateLimit", "x"), ("Content-Type", "text/csv"), ("Retry-After", "3"),
            ("Content-Length", "12"),
        ])
        #expect(passed == ["content-type", "retry-after"])
    }

    /// Beside a transfer encoding it says nothing (RFC 9112 section 6.3).
    @Test func aLengthPassesWhereItCounts() throws {
        #expect(try self.passedToClient([("Content-Length", "12")]) == ["content-length"])
    }
}

@Suite struct RequestTargetTests {
    @Test(arguments: ["/", "/api/v1/campaigns?limit=2&cursor=a%2Fb", "/api/v1/contacts/5", "/a/%C3%A9", "/a/%252e%252e", "/a/b..c/.d"])
    func plainTargetsAreRead(_ text: String) throws {
        #expect(try RequestTarget(text).text == text)
    }

    @Test(arguments: [
        "", "*", "api", "http://host/api", "/a/../b", "/a/./b", "/..", "/a/%2e%2e/b", "/a/.%2E", "/a/%2fb", "/a/%2Fb", "/a%5cb", "/a\\b",
        "/a/%00", "/a/%0d%0a", "/a/%zz", "/a/%2", "/a/%ff", "/a b", "/a#b", "/é", "/a?b\u{7F}",
    ])
    func ambiguousTargetsAreRefused(_ text: String) {
        #expect { try RequestTarget(text) } throws: { ($0 as? Problem)?.kind == .badRequest }
    }

    @Test func pathAndQueryAreApart() throws {
        let target = try RequestTarget("/a/b?c=/d?e")
        #expect(target.path == "/a/b")
        #expect(target.query == "?c=/d?e")
    }
}

@Suite struct CredentialTests {
    @Test func bearerAndKeyHeaderAreRead() throws {
        #expect(try Credential.read([:] as HTTPFields) == .none)
        #expect(try Credential.read([.authorization: "Bearer abc"]) == .token("abc"))
        #expect(try Credential.read([.authorization: "bearer  abc"]) == .token("abc"))
        #expect(try Credential.read([.apiKey: "abc"]) == .token("abc"))
    }

    @Test func otherSchemesAreRefused() {
        for value in ["Basic YTpi", "Bearer", "Bearer a b", "abc"] {
            #expect(throws: Credential.refused) { try Credential.read([.authorization: value]) }
        }
    }

    @Test func twoCredentialsAreAmbiguous() {
        #expect(throws: Credential.ambiguous) { try Credential.read([.authorization: "Bearer a", .apiKey: "b"]) }
        var twice = HTTPFields()
        twice.append(HTTPField(name: .authorization, value: "Bearer a"))
        twice.append(HTTPField(name: .authorization, value: "Bearer b"))
        #expect(throws: Credential.ambiguous) { try Credential.read(twice) }
    }
}
