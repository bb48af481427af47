import Hummingbird
import Models
import ServiceKit

/// `/api/v1/admin`, as far as it concerns several services; what concerns one is that service's own and passes through the proxy.
struct AdminRoutes: Sendable {
    let overview: OverviewGatherer
    let health: HealthGatherer
    /// A page makes several calls to the inside at once: few are gathered at a time, organizations in turns.
    private let places = CallSlots(.init(all: 8, perOrganization: 2, waiting: 16))

    init(overview: OverviewGatherer, health: HealthGatherer) {
        self.overview = overview
        self.health = health
    }

    init(_ house: House, limits: LimitSettings, limiter: RateLimiter, mailFate: MailFate) {
        self.init(
            overview: OverviewGatherer(
                store: OverviewStore(database: house.database, limits: limits),
                client: house.client,
                logger: house.logger
            ),
            health: HealthGatherer(
                replicas: house.configuration.replicas,
                http: house.inside,
                database: house.database,
                limiter: limiter,
                mailFate: mailFate,
                logger: house.logger
            )
        )
    }

    func mount(on table: RouteTable) {
        table.mount(.adminOverview) { request, context in
            try request.takesNoParameters()
            let place = try await self.places.enter(context.organizationID, isLong: false)
            defer { withExtendedLifetime(place) {} }
            return try .json(await self.overview.overview(for: context.principal))
        }
        table.mount(.adminHealth) { request, context in
            try request.takesNoParameters()
            let place = try await self.places.enter(context.organizationID, isLong: false)
            defer { withExtendedLifetime(place) {} }
            return try .json(await self.health.health())
        }
    }
}

extension Request {
    /// - Throws: a validation problem that names each parameter.
    fileprivate func takesNoParameters() throws {
        var names: [String] = []
        do {
            // Its own two are for lists.
            _ = try self.page()
        } catch let problem as Problem {
            names = problem.errors.map(\.pointer)
        }
        names += ["?limit", "?cursor"].filter { self.query(String($0.dropFirst())) != nil && !names.contains($0) }
        guard names.isEmpty else { throw Problem.validation(names.map { .init(pointer: $0, detail: "is not a known parameter") }) }
    }
}
