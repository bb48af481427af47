import Hummingbird
import Models
import ServiceKit

struct CatalogueRoutes {
    let providers: Providers

    func mount(on table: RouteTable) {
        table.mount(.listProviders) { request, _ in
            _ = try request.page()
            return try .json(Page(data: self.providers.definitions, nextCursor: nil))
        }
    }
}
