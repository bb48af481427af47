import Foundation
import Models
import Testing

@testable import Campaigns

@Suite struct SendKeyTests {
    private let salt = UUID(uuidString: "3F2504E0-4F89-11D3-9A0C-0305E82C3301") ?? UUID()
    private let campaign = CampaignKey(organization: 1, id: 2)

    @Test func aKeyFollowsFromItsParts() throws {
        let key = try SendKey.make(salt: self.salt, campaign: self.campaign, contact: 3, attemptGroup: 1)
        #expect(try SendKey.make(salt: self.salt, campaign: self.campaign, contact: 3, attemptGroup: 1) == key)
        #expect(key.count == 40)
        #expect(key.allSatisfy { $0.isHexDigit && !$0.isUppercase })
    }

    @Test func everyPartChangesTheKey() throws {
        let keys = [
            try SendKey.make(salt: self.salt, campaign: self.campaign, contact: 3, attemptGroup: 1),
            try SendKey.make(salt: UUID(), campaign: self.campaign, contact: 3, attemptGroup: 1),
            try SendKey.make(salt: self.salt, campaign: CampaignKey(organization: 9, id: 2), contact: 3, attemptGroup: 1),
            try SendKey.make(salt: self.salt, campaign: CampaignKey(organization: 1, id: 9), contact: 3, attemptGroup: 1),
            try SendKey.make(salt: self.salt, campaign: self.campaign, contact: 4, attemptGroup: 1),
            try SendKey.make(salt: self.salt, campaign: self.campaign, contact: 3, attemptGroup: 2),
        ]
        #expect(Set(keys).count == keys.count)
    }
}
