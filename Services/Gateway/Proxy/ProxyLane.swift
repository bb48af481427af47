import HTTPTypes
import Models
import NIOHTTP1
import ServiceKit
import Synchronization
import Transport

/// What ``ReverseProxy`` does, for the request that most requests are: a GET of a member or key that is known already, whose units and place are at
/// hand. The rules are the same ones; everything else, each refusal too, is left to the proxy.
final class ProxyLane: FastLane {
    private let proxy: ReverseProxy
    /// Of every answer.
    private let fixed: [(String, String)]
    private let admittedSoFar = Atomic<Int>(0)

    /// - cors: answers to others say, too, that they depend on who asks.
    init(proxy: ReverseProxy, cors: CORSPolicy?) {
        self.proxy = proxy
        let depends = cors.map { $0.fields(for: nil).map { ($0.rawName, $1) } } ?? []
        self.fixed = proxy.security.pairs + depends
    }

    /// Requests that took the lane.
    var count: Int { self.admittedSoFar.load(ordering: .relaxed) }

    func admit(_ request: LaneRequest) -> LanePass? {
        let headers = request.headers
        // Pages of other origins and keys without meaning are the pipeline's.
        guard !headers.contains(name: "origin"), !headers.contains(name: "idempotency-key"), !headers.contains(name: "expect"),
            let target = try? RequestTarget(request.target), let route = self.route(target)
        else { return nil }
        let client = self.proxy.client(route.service)
        guard client.canBeginOnLoops else { return nil }
        var slot: CallSlots.Slot?
        let admitted = self.proxy.guardian.admitAtOnce(headers, from: request.clientAddress, route) { principal in
            slot = self.proxy.slots.enterAtOnce(principal.organizationID)
            return slot != nil
        }
        guard let admitted, let slot else { return nil }
        self.admittedSoFar.add(1, ordering: .relaxed)
        return LanePass(
            route: route,
            headers: self.fixed + admitted.headers.map { ($0.rawName, $1) },
            // Kept until the answer has passed.
            holding: slot,
            client: client,
            outgoing: self.outgoing(request, route, admitted.principal)
        )
    }

    func passed(_ headers: HTTPHeaders) -> [(String, String)] { ForwardedHeaders.response(headers) }

    private func route(_ target: RequestTarget) -> Route? {
        guard case .found(let route, _) = ReverseProxy.routes.match(.get, target.path), route.service != .gateway,
            route.timeout <= Route.usualTimeout, route.access != .anyone
        else { return nil }
        return route
    }

    /// What the owning service gets to see.
    private func outgoing(_ request: LaneRequest, _ route: Route, _ principal: Principal) -> LoopRequest {
        LoopRequest(
            target: request.target,
            headers: ForwardedHeaders.request(request.headers),
            principal: principal,
            publicURL: self.proxy.publicURL + request.target,
            clientAddress: request.clientAddress,
            requestID: request.requestID,
            traceParent: request.traceParent,
            timeouts: Timeouts(route)
        )
    }
}
