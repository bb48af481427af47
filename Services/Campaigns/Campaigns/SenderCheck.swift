import Models
import ServiceKit

/// Whether an integration may carry a campaign: asked before a campaign is stored with it, and again before it starts.
struct SenderCheck: Sendable {
    /// What integrations tell; nil where the organization has no such integration.
    let find: @Sendable (IntegrationID, OrganizationID) async throws -> Sender?

    /// What was found, to be judged where the campaign is changed: a repeat under an Idempotency-Key gets its first answer whatever became of the
    /// integration since.
    struct Finding: Sendable {
        fileprivate let sender: Result<Sender?, any Error>

        /// - Throws: the fault of `/integration_id` as a validation ``Problem``, or why integrations could not be asked.
        func check(_ channel: Channel) throws {
            guard let sender = try self.sender.get() else { throw Self.fault("is no integration of this organization") }
            guard sender.channels.contains(channel.rawValue) else {
                throw Self.fault("is an integration of \(sender.provider), which sends no \(channel.rawValue)")
            }
        }

        private static func fault(_ detail: String) -> Problem { .validation([.init(pointer: "/integration_id", detail: detail)]) }
    }

    func look(_ id: IntegrationID, in organization: OrganizationID) async -> Finding {
        do {
            return Finding(sender: .success(try await self.find(id, organization)))
        } catch {
            return Finding(sender: .failure(error))
        }
    }
}

extension SenderCheck {
    init(_ integrations: ServiceClient) {
        self.init { id, organization in
            do {
                return try await integrations.call(
                    .findSender,
                    query: [("organization_id", String(organization.rawValue)), ("integration_id", String(id.rawValue))],
                    isIdempotent: true,
                    as: Sender.self
                )
            } catch let error as ServiceCallError where error.status == 404 {
                return nil
            }
        }
    }
}
