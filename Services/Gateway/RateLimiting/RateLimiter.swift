import Models

/// Admits requests against quotas that all replicas share.
///
/// Each request asks Postgres for exactly what it costs: a grant of one request. A larger grant, kept in the process until its window ends,
/// would go here, in front of the store; nothing else would change.
struct RateLimiter: Sendable {
    let store: RateLimitStore

    func take(_ cost: Int, from quota: Quota, for key: APIKeyID, of organization: OrganizationID) async throws -> Standing {
        if let granted = try await self.store.grant(Int64(cost), from: quota, for: key, of: organization) {
            return Standing(granted, of: quota, isAdmitted: true)
        }
        guard let present = try await self.store.window(of: quota, for: key, of: organization) else {
            throw Problem(.internal, "A rate-limit window could not be read.")
        }
        return Standing(present, of: quota, isAdmitted: false)
    }
}

extension Standing {
    init(_ window: LimitWindow, of quota: Quota, isAdmitted: Bool) {
        self.init(
            isAdmitted: isAdmitted,
            remaining: max(0, quota.limit - window.used),
            resetAfter: window.resetAfter,
            resetAt: window.resetAt
        )
    }
}
