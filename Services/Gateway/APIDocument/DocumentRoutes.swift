import Hummingbird
import Models
import ServiceKit
import Synchronization

/// `/api/v1/openapi.json` and `.yaml`.
struct DocumentRoutes: Sendable {
    /// Copies may be this old; then they are asked for again, which mostly costs a 304.
    private static let cacheControl = "public, max-age=300"

    let document: ServedDocument

    func mount(on table: RouteTable) {
        table.mountOpen(.documentJSON, self.serve(\.json))
        table.mountOpen(.documentYAML, self.serve(\.yaml))
    }

    private func serve(
        _ file: @escaping @Sendable (ServedDocument.Files) -> ServedFile
    ) -> @Sendable (Request, BaseContext) async throws -> Response {
        { request, _ in try file(self.document.files()).response(to: request, cacheControl: Self.cacheControl) }
    }
}

/// The document, put together when it is first asked for: a gateway that starts has no time for it.
final class ServedDocument: Sendable {
    struct Files: Sendable {
        var json: ServedFile
        var yaml: ServedFile
    }

    private let publicURL: String
    private let made = Mutex<Files?>(nil)

    init(publicURL: String) { self.publicURL = publicURL }

    func files() throws -> Files {
        try self.made.withLock { made in
            if let made { return made }
            let document = APIDocument(fragments: try DocumentFragment.all(), publicURL: self.publicURL)
            let files = Files(
                json: try ServedFile(document.json(), type: "application/json"),
                yaml: try ServedFile(document.yaml(), type: "application/yaml")
            )
            made = files
            return files
        }
    }
}
