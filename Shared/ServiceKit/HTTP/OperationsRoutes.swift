import HTTPTypes
import Hummingbird
import Models

/// `/healthz` (alive), `/readyz` (database, migrations and what the service adds), `/metrics`.
struct OperationsRoutes: Sendable {
    static let paths: Set<String> = ["/healthz", "/readyz", "/metrics"]

    let metrics: MetricsRegistry
    let readiness: [ReadinessCheck]
    let metricsAccess: MetricsAccess

    /// nil where the path is not one of these, or is not for this caller.
    func answer(_ request: Request) async -> Response? {
        let path = request.uri.path
        guard Self.paths.contains(path), path != "/metrics" || self.metricsAccess.admits(request.headers) else { return nil }
        guard request.method == .get || request.method == .head else {
            var response = Response(status: .methodNotAllowed)
            response.headers[.allow] = "GET, HEAD"
            return response
        }
        let response =
            switch path {
            case "/healthz": Response.json(bytes: Array(#"{"status":"alive"}"#.utf8), status: .ok)
            case "/readyz": await self.ready()
            default: Response.text(self.metrics.text(), type: MetricsText.contentType)
            }
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func ready() async -> Response {
        let checks = self.readiness
        var results: [String: Bool] = [:]
        await withTaskGroup(of: (String, Bool).self) { group in
            for check in checks { group.addTask { (check.name, await check.isReady()) } }
            for await (name, isReady) in group { results[name] = isReady }
        }
        let isReady = !results.values.contains(false)
        let body: JSONValue = [
            "status": .string(isReady ? "ready" : "not ready"),
            "checks": .object(results.mapValues { .bool($0) }),
        ]
        return Response.json(bytes: body.serialized(), status: isReady ? .ok : .serviceUnavailable)
    }
}

/// One condition of `/readyz`.
package struct ReadinessCheck: Sendable {
    package let name: String
    package let isReady: @Sendable () async -> Bool

    package init(_ name: String, _ isReady: @escaping @Sendable () async -> Bool) {
        self.name = name
        self.isReady = isReady
    }
}
