import Foundation
import Models

/// HubSpot by private-app token: https://developers.hubspot.com/docs/api/private-apps.
struct HubSpotProvider: Provider {
    static let key = "hubspot"

    let client: HubSpotClient
    let now: @Sendable () -> Date

    init(client: HubSpotClient, now: @escaping @Sendable () -> Date = { Date() }) {
        self.client = client
        self.now = now
    }

    let definition = ProviderDefinition(
        key: Self.key,
        name: "HubSpot",
        category: .crm,
        authentication: .bearerToken,
        fields: [
            .text(
                "access_token",
                "Private app access token",
                [.required, .secret],
                pattern: #"[\x21-\x7E]{8,512}"#,
                hint: "the token of a private app with the scope crm.objects.contacts.read"
            )
        ],
        capabilities: [.syncContacts]
    )

    var contacts: (any ContactSource)? { HubSpotContactSource(client: self.client, now: self.now) }

    func test(_ connection: Connection) async throws -> ConnectionReport {
        do {
            let token = try connection.secret("access_token")
            let account = try await self.client.account(token)
            _ = try await self.client.listContacts(token, after: nil, archived: false, limit: 1)
            return .passed("The token is valid and may read contacts.", account: Self.summary(of: account))
        } catch let failure as ProviderFailure {
            return .failed(failure.detail)
        }
    }

    /// What is shown of `GET /account-info/v3/details`.
    private static func summary(of account: JSONValue) -> [String: JSONValue] {
        let names = [
            ("portalId", "portal_id"), ("accountType", "account_type"), ("timeZone", "time_zone"), ("companyCurrency", "currency"),
            ("uiDomain", "ui_domain"),
        ]
        var summary: [String: JSONValue] = [:]
        for (theirs, ours) in names { summary[ours] = account[theirs] }
        return summary
    }
}
