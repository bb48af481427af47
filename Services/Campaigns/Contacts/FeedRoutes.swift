import Hummingbird
import Models
import ServiceKit

struct FeedRoutes: Sendable {
    let backlog: FeedBacklog
    let wake: WakeSignal

    func mount(on table: RouteTable) {
        table.mountInternal(.nudgeChanges) { request, _ in
            let nudge = try await request.decodeBody(ChangeNudge.self)
            self.backlog.add([nudge.organizationID])
            self.wake.wake()
            return .noContent
        }
    }
}
