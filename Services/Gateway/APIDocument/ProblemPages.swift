import Hummingbird
import Models
import ServiceKit

/// `/problems` and `/problems/{kind}`: where the `type` of a problem leads.
struct ProblemPages: Sendable {
    func mount(on table: RouteTable) {
        table.mountOpen(.problemIndex) { request, _ in try Self.index.response(to: request) }
        table.mountOpen(.problemPage) { request, _ in
            guard let name = request.uri.path.split(separator: "/").last, let kind = Problem.Kind(rawValue: String(name)) else {
                throw Problem.notFound
            }
            return try Self.page(of: kind).response(to: request)
        }
    }

    static var index: HTMLPage {
        let rows = Problem.Kind.allCases.map { kind in
            HTMLText(
                "<tr><td>\(kind.status)</td><td><a href=\"/problems/\(kind.rawValue)\">\(kind.rawValue)</a></td><td>\(kind.title)</td></tr>"
            )
        }
        return HTMLPage(
            title: "Problems",
            """
            <main>
            <h1>Problems</h1>
            <p>Every error of the API is one of these. Its <code>type</code> is the path of the page here.</p>
            <table><thead><tr><th>Status</th><th>Kind</th><th>Title</th></tr></thead><tbody>\(rows)</tbody></table>
            <p><a href="/docs">API documentation</a></p>
            </main>
            """
        )
    }

    static func page(of kind: Problem.Kind) -> HTMLPage {
        let guide = ProblemGuide(kind)
        let example = guide.example.json(requestID: "req_019a9f6e2b7c7d3e8f10a2b3c4d5e6f7").text
        return HTMLPage(
            title: kind.title,
            """
            <main>
            <h1>\(kind.title)</h1>
            <p>Status <strong>\(kind.status)</strong>, kind <code>\(kind.rawValue)</code></p>
            <h2>What it means</h2><p>\(code: guide.meaning)</p>
            <h2>What to do</h2><p>\(code: guide.remedy)</p>
            <h2>Example</h2><pre>\(example)</pre>
            <p><a href="/problems">All problems</a> · <a href="/docs">API documentation</a></p>
            </main>
            """
        )
    }
}
