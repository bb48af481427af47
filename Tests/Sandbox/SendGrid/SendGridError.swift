import HTTPTypes
import Hummingbird
import Models
import NIOCore

/// A refusal in SendGrid's shape: `{"errors":[{"message","field","help"}]}`.
struct SendGridError: Error {
    struct Item: Sendable {
        var message: String
        var field: String?
    }

    var status: Int
    var items: [Item]

    init(_ status: Int, _ message: String, field: String? = nil) {
        self.status = status
        self.items = [Item(message: message, field: field)]
    }

    init(invalid items: [Item]) {
        self.status = 400
        self.items = items
    }

    static let missingKey = SendGridError(401, "Permission denied, wrong credentials")
    static let wrongKey = SendGridError(401, "The provided authorization grant is invalid, expired, or revoked")
    static let tooMany = SendGridError(429, "too many requests")
    static let badRequest = SendGridError(400, "Bad Request")

    var response: Response {
        let errors = self.items.map { item -> JSONValue in
            ["message": .string(item.message), "field": item.field.map(JSONValue.string) ?? .null, "help": nil]
        }
        return .json(["errors": .array(errors)], status: HTTPResponse.Status(code: self.status))
    }

    /// The answer of a fault.
    static func answer(toFault status: Int) -> Response {
        switch status {
        case 429: Self.tooMany.response
        case 401: Self.wrongKey.response
        default: SendGridError(status, "Internal Server Error").response
        }
    }

    /// Too large a body is refused by the proxy before SendGrid: in HTML.
    static var tooLarge: Response {
        Response(
            status: .contentTooLarge,
            headers: [.contentType: "text/html"],
            body: ResponseBody(
                byteBuffer: ByteBuffer(
                    string: "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n"
                        + "<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
                )
            )
        )
    }
}
