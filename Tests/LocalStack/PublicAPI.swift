import Foundation
import HTTPTypes
import Logging
package import Models
import Transport

/// A client of the public API, as an outsider would write one: JSON in, JSON out, a bearer token or API key.
package final class PublicAPI: Sendable {
    package let base: String
    package let token: Secret?
    private let client: HTTPClient

    package struct Answer: Sendable {
        package var status: Int
        package var headers: [String: String]
        package var bytes: [UInt8]
        package var body: JSONValue
    }

    /// An answer that the caller did not expect.
    package struct Refusal: Error, CustomStringConvertible {
        package var description: String
        package var status: Int
    }

    private init(base: String) {
        self.base = base
        self.token = nil
        self.client = HTTPClient(.outside(guard: nil), logger: Logger(label: "public-api"))
    }

    private init(base: String, token: Secret?, client: HTTPClient) {
        self.base = base
        self.token = token
        self.client = client
    }

    /// The same client for another caller.
    package func signed(_ token: Secret?) -> PublicAPI { PublicAPI(base: self.base, token: token, client: self.client) }

    /// A client for the time of `body`.
    package static func using<Value>(_ base: String, _ body: (PublicAPI) async throws -> Value) async throws -> Value {
        let api = PublicAPI(base: base)
        let result: Result<Value, any Error>
        do { result = .success(try await body(api)) } catch { result = .failure(error) }
        await api.client.shutdown(within: .zero)
        return try result.get()
    }

    private static func wireMethod(_ method: Route.Method) -> HTTPRequest.Method {
        switch method {
        case .get: .get
        case .post: .post
        case .put: .put
        case .patch: .patch
        case .delete: .delete
        }
    }

    package func status(_ path: String) async throws -> Int { try await self.send(.get, path).status }

    package func send(
        _ method: Route.Method,
        _ path: String,
        _ body: JSONValue? = nil,
        headers: [String: String] = [:]
    ) async throws -> Answer {
        var fields = HTTPFields()
        if let token { fields[.authorization] = "Bearer \(token.reveal())" }
        if body != nil { fields[.contentType] = "application/json" }
        for (name, value) in headers {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        let request = try HTTPClientRequest(
            Self.wireMethod(method),
            self.base + path,
            headers: fields,
            body: body.map { .bytes($0.serialized()) } ?? .none
        )
        let response = try await self.client.send(request)
        let bytes = try await response.collect(upTo: 64 << 20)
        let answer = Answer(
            status: response.head.status.code,
            headers: Dictionary(
                response.head.headerFields.map { ($0.name.canonicalName, $0.value) },
                uniquingKeysWith: { "\($0), \($1)" }
            ),
            bytes: bytes,
            body: (try? JSONValue(parsing: bytes)) ?? .null
        )
        ExchangeLog.shared?.record(method.rawValue, path, answer.status, headers: answer.headers, body: bytes)
        return answer
    }

    /// Sends and insists on a 2xx.
    /// - Throws: ``Refusal`` with the problem's words.
    @discardableResult
    package func call(_ method: Route.Method, _ path: String, _ body: JSONValue? = nil, key: String? = nil) async throws -> JSONValue {
        let answer = try await self.send(method, path, body, headers: key.map { ["Idempotency-Key": "\"\($0)\""] } ?? [:])
        guard (200..<300).contains(answer.status) else {
            throw Refusal(
                description:
                    "\(method.rawValue) \(path) answered \(answer.status): \(String(decoding: answer.bytes.prefix(1000), as: UTF8.self))",
                status: answer.status
            )
        }
        return answer.body
    }

    /// Registers a member of a new organization, and answers the client that is signed in as them.
    package func registered(as name: String) async throws -> PublicAPI {
        let account = try await self.call(
            .post,
            "/api/v1/auth/register",
            [
                "email": .string("\(name.lowercased())@demo.example"), "password": "correct horse battery staple",
                "name": .string(name), "organization_name": .string(name),
            ]
        )
        return self.signed(Secret(account["access_token"]?.stringValue ?? ""))
    }

    /// Every item of a list, page after page.
    package func all(_ path: String) async throws -> [JSONValue] {
        var items: [JSONValue] = []
        var cursor: String?
        repeat {
            let separator = path.contains("?") ? "&" : "?"
            let page = try await self.call(.get, path + "\(separator)limit=200" + (cursor.map { "&cursor=\($0)" } ?? ""))
            items += page["data"]?.arrayValue ?? []
            cursor = page["next_cursor"]?.stringValue
        } while cursor != nil
        return items
    }
}
