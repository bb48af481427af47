import Hummingbird
import Models
import ServiceKit

/// `/docs`: the API document in swagger-ui, and its files.
struct DocsPage: Sendable {
    let assets: DocsAssets

    func mount(on table: RouteTable) {
        table.mountOpen(.docsPage) { request, _ in try self.page().response(to: request) }
        table.mountOpen(.docsAsset, self.asset)
    }

    private func asset(_ request: Request, _ context: BaseContext) throws -> Response {
        guard let name = request.uri.path.split(separator: "/").last else { throw Problem.notFound }
        let file = try self.assets.file(String(name))
        // The page names each file with its version; whoever asks without it checks for a new one each time.
        let isVersioned = request.query("v").map { "\"\($0)\"" == file.tag } ?? false
        return file.response(to: request, cacheControl: isVersioned ? "public, max-age=31536000, immutable" : "no-cache")
    }

    func page() throws -> HTMLPage {
        guard self.assets.hasViewer else { return Self.withoutViewer }
        return HTMLPage(
            title: "API documentation",
            head: """
                <link rel="icon" type="image/png" href="\(try self.assets.address("favicon-32x32.png"))">
                <link rel="stylesheet" href="\(try self.assets.address("swagger-ui.css"))">
                <script src="\(try self.assets.address("swagger-ui-bundle.js"))" defer></script>
                <script src="\(try self.assets.address("snippets.js"))" defer></script>
                <script src="\(try self.assets.address("page.js"))" defer></script>
                """,
            """
            <noscript>This page needs JavaScript. The document itself: <a href="/api/v1/openapi.json">JSON</a>,
            <a href="/api/v1/openapi.yaml">YAML</a>.</noscript>
            <main id="document"></main>
            """
        )
    }

    private static let withoutViewer = HTMLPage(
        title: "API documentation",
        """
        <main>
        <h1>API documentation</h1>
        <p>The API document is at <a href="/api/v1/openapi.json">/api/v1/openapi.json</a> and
        <a href="/api/v1/openapi.yaml">/api/v1/openapi.yaml</a>; <a href="/problems">/problems</a> explains the errors.</p>
        <p>This gateway has no viewer to show it here. Operators: put the swagger-ui of the Python package
        <code>drf-spectacular-sidecar</code> into a directory and name it in <code>DOCS_ASSETS</code>.</p>
        </main>
        """
    )
}
