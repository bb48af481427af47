import Models
import Testing

@Suite struct RouteCatalogueTests {
    @Test func noTwoRoutesAnswerTheSameRequest() {
        // Parameters have no name here: `/a/{id}` and `/a/{key}` are the same path.
        let shapes = RouteCatalogue.all.map { route in
            ([route.method.rawValue] + segments(route).map { $0.hasPrefix("{") ? "{}" : $0 }).joined(separator: "/")
        }
        #expect(Set(shapes).count == shapes.count)
    }

    @Test func everyServiceListsOnlyItsOwn() {
        let lists: [(ServiceName, [Route])] = [
            (.gateway, RouteCatalogue.gateway), (.integrations, RouteCatalogue.integrations), (.campaigns, RouteCatalogue.campaigns),
            (.webhooks, RouteCatalogue.webhooks),
        ]
        #expect(lists.map(\.0).count == ServiceName.allCases.count)
        for (service, routes) in lists { for route in routes { #expect(route.service == service, "\(route.name)") } }
        #expect(RouteCatalogue.all.count == lists.map(\.1.count).reduce(0, +))
    }

    @Test(arguments: RouteCatalogue.all)
    func internalRoutesAndOnlyTheyLieUnderInternal(route: Route) {
        if case .service(let callers) = route.access {
            #expect(route.template.hasPrefix("/internal/"))
            #expect(!callers.isEmpty && !callers.contains(route.service))
        } else {
            let isPage = route.access == .anyone && (route.template.hasPrefix("/docs") || route.template.hasPrefix("/problems"))
            #expect(route.template.hasPrefix("/api/v1/") || isPage)
        }
    }

    @Test(arguments: RouteCatalogue.all)
    func templatesAreWellFormed(route: Route) {
        #expect(!route.template.hasSuffix("/"))
        for segment in segments(route) {
            let name = segment.hasPrefix("{") ? segment.dropFirst().dropLast() : Substring(segment)
            #expect(!segment.hasPrefix("{") || segment.hasSuffix("}"))
            #expect(!name.isEmpty && name.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || "_-.".contains($0)) }, "\(segment)")
        }
        let parameters = segments(route).filter { $0.hasPrefix("{") }
        #expect(Set(parameters).count == parameters.count)
        #expect(!route.summary.isEmpty && !route.summary.hasSuffix("."))
        #expect(route.cost >= 0 && route.timeout > 0)
    }

    @Test(arguments: RouteCatalogue.all)
    func accessFitsTheMethod(route: Route) {
        if route.idempotent { #expect(route.method == .post) }
        guard case .member(let role, let scope) = route.access else { return }
        #expect(role >= scope.leastRole, "a key that may hold \(scope.rawValue) must be able to be of this role")
        let reads = scope.rawValue.hasSuffix(":read")
        // A preview takes a body to read, and changes nothing.
        #expect(reads == (route.method == .get || route == .previewTemplate), "\(route.method.rawValue) with \(scope.rawValue)")
    }

    private func segments(_ route: Route) -> [String] { route.template.split(separator: "/").map(String.init) }
}
