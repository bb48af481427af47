/// The API document and the pages about the API.
extension RouteCatalogue {
    static let documents: [Route] = [.documentJSON, .documentYAML, .docsPage, .docsAsset, .problemIndex, .problemPage]
}

extension Route {
    package static let documentJSON = Route(.get, "/api/v1/openapi.json", .gateway, .anyone, "This document as JSON", cost: 0)
    package static let documentYAML = Route(.get, "/api/v1/openapi.yaml", .gateway, .anyone, "This document as YAML", cost: 0)
    package static let docsPage = Route(.get, "/docs", .gateway, .anyone, "The API document for people", cost: 0)
    package static let docsAsset = Route(.get, "/docs/{file}", .gateway, .anyone, "Scripts and styles of that page", cost: 0)
    package static let problemIndex = Route(.get, "/problems", .gateway, .anyone, "Every kind of problem", cost: 0)
    package static let problemPage = Route(.get, "/problems/{kind}", .gateway, .anyone, "What a kind of problem means", cost: 0)
}
