import Database
import Logging
import Models
import ServiceKit

/// How a service answered for its part of a page.
struct ServiceStanding: Encodable, Sendable, Equatable {
    enum Status: String, Encodable, Sendable {
        case ok
        /// It did not answer, or not rightly, or not in time: its part is missing.
        case degraded
        /// The caller may not see its part.
        case withheld
    }

    var status: Status
    /// Why, in words for people; nil where all is well.
    var detail: String?

    static let ok = ServiceStanding(status: .ok, detail: nil)
    static func degraded(_ detail: String) -> ServiceStanding { ServiceStanding(status: .degraded, detail: detail) }

    private enum CodingKeys: String, CodingKey { case status, detail }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.status, forKey: .status)
        try container.encode(self.detail, forKey: .detail)
    }

    /// The reason as a client may read it: no address and no inner detail.
    init(_ error: any Error) {
        let detail =
            switch error {
            case is TookTooLong: "It took too long to answer."
            case let error as ServiceCallError:
                switch error.kind {
                case .notSent: "It cannot be reached."
                case .timedOut: "It took too long to answer."
                case .answered(503): "It is not ready."
                case .answered, .broken, .unreadable: "It answered wrongly."
                }
            case is DatabaseError: "Its database did not answer."
            default: "Its part could not be read."
            }
        self = .degraded(detail)
    }

    fileprivate init(status: Status, detail: String?) {
        self.status = status
        self.detail = detail
    }
}

/// A part of a page: there, or missing for a reason.
struct GatheredPart<Value: Sendable>: Sendable {
    var value: Value?
    var standing: ServiceStanding
}

struct TookTooLong: Error {}

/// Asks for the parts of a page; each has its own time, and none that fails takes another along.
struct Gathering: Sendable {
    let principal: Principal
    /// For one part.
    let limit: Duration
    let logger: Logger

    /// - scope: what a key must hold to see the part; the role was checked with the route.
    func part<Value: Sendable>(
        _ service: ServiceName,
        needing scope: Scope? = nil,
        _ body: @escaping @Sendable () async throws -> Value
    ) async -> GatheredPart<Value> {
        if let scope, !self.principal.satisfies(role: .viewer, scope: scope) {
            return GatheredPart(value: nil, standing: .withheld(scope))
        }
        do {
            return GatheredPart(value: try await Self.within(self.limit, body), standing: .ok)
        } catch {
            self.logger.warning("A part of an admin page is missing", metadata: ["service": "\(service.rawValue)", "error": "\(error)"])
            return GatheredPart(value: nil, standing: ServiceStanding(error))
        }
    }

    /// - Throws: ``TookTooLong``, or what the body throws.
    static func within<Value: Sendable>(_ limit: Duration, _ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            guard let first = try await group.next(), let value = first else { throw TookTooLong() }
            return value
        }
    }
}

extension ServiceStanding {
    static func withheld(_ scope: Scope) -> ServiceStanding {
        ServiceStanding(status: .withheld, detail: "This API key lacks the scope \(scope.rawValue).")
    }
}
