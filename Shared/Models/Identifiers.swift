/// A 64-bit entity id that knows what it identifies, so that a campaign's id cannot stand where a contact's is asked for.
/// JSON shape: a number.
package struct ID<Owner>: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }
    package init(_ rawValue: Int64) { self.rawValue = rawValue }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension ID: Codable {
    package init(from decoder: any Decoder) throws {
        self.rawValue = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.rawValue)
    }
}

extension ID: LosslessStringConvertible {
    /// Positive decimal digits in their one spelling: `+1` and `01` are no ids.
    package init?(_ description: String) {
        guard let value = Int64(description), value > 0, String(value) == description else { return nil }
        self.rawValue = value
    }

    package var description: String { String(self.rawValue) }
}

package enum Organization {}
package enum User {}
package enum Session {}
package enum APIKeyEntity {}
package enum InvitationEntity {}
package enum IntegrationEntity {}
package enum RecordEntity {}
package enum ContactEntity {}
package enum CampaignEntity {}
package enum SubscriptionEntity {}
package enum DeliveryEntity {}
package enum SigningKeyEntity {}
package enum ReplayEntity {}

package typealias OrganizationID = ID<Organization>
package typealias UserID = ID<User>
package typealias SessionID = ID<Session>
package typealias APIKeyID = ID<APIKeyEntity>
package typealias InvitationID = ID<InvitationEntity>
package typealias IntegrationID = ID<IntegrationEntity>
package typealias RecordID = ID<RecordEntity>
package typealias ContactID = ID<ContactEntity>
package typealias CampaignID = ID<CampaignEntity>
package typealias SubscriptionID = ID<SubscriptionEntity>
package typealias DeliveryID = ID<DeliveryEntity>
package typealias SigningKeyID = ID<SigningKeyEntity>
package typealias ReplayID = ID<ReplayEntity>
