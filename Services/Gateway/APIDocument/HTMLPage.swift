import HTTPTypes
import Hummingbird
import ServiceKit

/// A page of the gateway: no script but its own files, nothing from elsewhere, in nobody's frame.
struct HTMLPage: Sendable {
    /// Styles may stand in the page, and images in data URLs: the viewer of the API document makes both.
    private static let policy = """
        default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'
        """

    let text: String

    /// - head: further elements of the head.
    init(title: String, head: HTMLText = "<link rel=\"icon\" href=\"data:,\">", _ content: HTMLText) {
        let page: HTMLText = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(title) – Switchboard</title>
            <link rel="stylesheet" href="/docs/page.css">
            \(head)
            </head>
            <body>
            \(content)
            </body>
            </html>

            """
        self.text = page.text
    }

    func response(to request: Request) throws -> Response {
        var response = try ServedFile(Array(self.text.utf8), type: "text/html; charset=utf-8").response(
            to: request,
            cacheControl: "no-cache"
        )
        response.headers[.contentSecurityPolicy] = Self.policy
        return response
    }
}

/// HTML whose interpolated text is escaped.
struct HTMLText: ExpressibleByStringInterpolation, Sendable {
    struct StringInterpolation: StringInterpolationProtocol, Sendable {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { self.text.reserveCapacity(literalCapacity) }

        mutating func appendLiteral(_ literal: String) { self.text += literal }
        mutating func appendInterpolation(_ value: some CustomStringConvertible) { self.text += HTMLText.escape("\(value)") }
        mutating func appendInterpolation(_ html: HTMLText) { self.text += html.text }
        mutating func appendInterpolation(_ items: [HTMLText]) { self.text += items.map(\.text).joined(separator: "\n") }

        /// Text in which words between backquotes are code.
        mutating func appendInterpolation(code text: String) {
            for (index, part) in text.split(separator: "`", omittingEmptySubsequences: false).enumerated() {
                self.text += index.isMultiple(of: 2) ? HTMLText.escape(String(part)) : "<code>\(HTMLText.escape(String(part)))</code>"
            }
        }
    }

    let text: String

    init(_ html: HTMLText) { self = html }
    init(stringLiteral value: String) { self.text = value }
    init(stringInterpolation: StringInterpolation) { self.text = stringInterpolation.text }

    fileprivate static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
