import Foundation
import Models
import ServiceKit

/// One request as it is logged and counted.
struct RequestRecord: Sendable {
    /// nil where nobody was known to ask: such requests are only counted.
    var principal: Principal?
    /// nil where the catalogue knows no such route.
    var route: Route?
    /// When the answer ended, by this process's clock.
    var time: Date
    var status: Int
    var durationMicroseconds: Int64
    var requestBytes: Int64?
    var responseBytes: Int64
    var address: String?
    var agent: String?
    var requestID: String

    init(_ observed: ObservedRequest, at time: Date) {
        self.principal = observed.principal
        self.route = observed.route
        self.time = time
        self.status = observed.status
        let (seconds, attoseconds) = observed.duration.components
        self.durationMicroseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        self.requestBytes = observed.requestBytes
        self.responseBytes = observed.responseBytes
        self.address = observed.clientAddress
        self.agent = observed.agent.map(Visitor.cut)
        self.requestID = observed.requestID
    }

    func usageKey(_ grain: UsageGrain) -> UsageKey {
        var key: Int64 = 0
        if case .key(let id, _)? = self.principal?.subject { key = id.rawValue }
        let seconds = Int64(self.time.timeIntervalSince1970.rounded(.down))
        return UsageKey(
            organization: self.principal?.organizationID.rawValue ?? 0,
            grain: grain,
            start: seconds - seconds % grain.seconds,
            key: key,
            route: self.route?.name ?? "unmatched",
            status: self.status
        )
    }
}
