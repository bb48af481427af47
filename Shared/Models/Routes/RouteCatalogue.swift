/// Every route of the platform, public and internal, once. What is not here is not served. Each service's routes stand in a file of its own.
package enum RouteCatalogue {
    package static let all: [Route] = gateway + integrations + campaigns + webhooks
}
