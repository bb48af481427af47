import HTTPTypes
import Models
import Transport

/// The calls to HubSpot's API that the house makes.
struct HubSpotClient: Sendable {
    /// Properties that are read: those of ``ContactFields`` and the ones that syncing needs.
    static let contactProperties = [
        "email", "phone", "mobilephone", "firstname", "lastname", "company", "jobtitle", "lastmodifieddate", "hs_object_id",
    ]
    /// Largest page of a list and of a search.
    static let listLimit = 100
    static let searchLimit = 200

    let baseURL: String
    let http: HTTPClient
    let timeouts: Timeouts

    init(baseURL: String, http: HTTPClient, timeouts: Timeouts = Timeouts()) {
        self.baseURL = baseURL
        self.http = http
        self.timeouts = timeouts
    }

    /// `GET /account-info/v3/details`.
    func account(_ token: Secret) async throws -> JSONValue {
        try await self.send(.get, "/account-info/v3/details", token)
    }

    /// `GET /crm/v3/objects/contacts`, in order of id.
    func listContacts(_ token: Secret, after: String?, archived: Bool, limit: Int = Self.listLimit) async throws -> JSONValue {
        var path = "/crm/v3/objects/contacts?limit=\(limit)&properties=\(Self.contactProperties.joined(separator: "%2C"))"
        path += "&archived=\(archived)"
        if let after { path += "&after=\(Self.percentEncoded(after))" }
        return try await self.send(.get, path, token)
    }

    /// `POST /crm/v3/objects/contacts/search`.
    func searchContacts(_ token: Secret, _ query: HubSpotSearch) async throws -> JSONValue {
        try await self.send(.post, "/crm/v3/objects/contacts/search", token, body: query.body.serialized())
    }

    /// - Throws: ``ProviderFailure``, `CancellationError`.
    private func send(_ method: HTTPRequest.Method, _ path: String, _ token: Secret, body: [UInt8]? = nil) async throws -> JSONValue {
        var headers: HTTPFields = [.authorization: "Bearer \(token.reveal())", .accept: "application/json"]
        if body != nil { headers[.contentType] = "application/json" }
        let response: HTTPClientResponse
        let bytes: [UInt8]
        do {
            let request = try HTTPClientRequest(
                method,
                self.baseURL + path,
                headers: headers,
                body: body.map { .bytes($0) } ?? .none,
                timeouts: self.timeouts
            )
            response = try await self.http.send(request)
            bytes = try await response.collect(upTo: 16 << 20)
        } catch let error as TransportError {
            throw ProviderFailure.transient(ProviderText.clean("HubSpot: \(error.description)", hiding: [token]))
        }
        let answer = HubSpotAnswer(response.head, bytes)
        if let failure = answer.failure { throw failure }
        guard let json = answer.json else { throw ProviderFailure.transient("HubSpot answered something that is not JSON.") }
        return json
    }

    /// RFC 3986: everything but unreserved characters is escaped.
    private static func percentEncoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
    }
}
