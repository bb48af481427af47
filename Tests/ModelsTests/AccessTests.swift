import Models
import Testing

@Suite struct AccessTests {
    @Test func rolesHoldWhatLowerOnesHold() {
        #expect(Role.allCases.sorted() == [.viewer, .editor, .admin, .owner])
        for role in Role.allCases { #expect(!(role < role)) }
    }

    @Test func readingScopesAreForViewersAndWritingOnesAreNot() {
        for scope in Scope.allCases {
            let reads = scope.rawValue.hasSuffix(":read")
            #expect(reads || scope.rawValue.hasSuffix(":write"), "\(scope.rawValue)")
            if !reads { #expect(scope.leastRole > .viewer, "\(scope.rawValue)") }
        }
        #expect(Scope.keysRead.leastRole == .admin)
    }

    @Test func memberIsLimitedByRoleAlone() {
        let editor = Principal(organizationID: OrganizationID(1), subject: .user(UserID(2)), role: .editor, scopes: nil)
        #expect(editor.satisfies(role: .editor, scope: .campaignsWrite))
        #expect(editor.satisfies(role: .viewer, scope: .keysRead))
        #expect(!editor.satisfies(role: .admin, scope: .campaignsWrite))
    }

    @Test func keyNeedsRoleAndScope() {
        let key = Principal(
            organizationID: OrganizationID(1),
            subject: .key(APIKeyID(3), maker: UserID(2)),
            role: .admin,
            scopes: [.campaignsRead]
        )
        #expect(key.satisfies(role: .viewer, scope: .campaignsRead))
        #expect(!key.satisfies(role: .viewer, scope: .campaignsWrite))
        #expect(!key.satisfies(role: .owner, scope: .campaignsRead))
        #expect(key.userID == UserID(2))
        let bare = Principal(organizationID: OrganizationID(1), subject: .key(APIKeyID(3), maker: UserID(2)), role: .owner, scopes: [])
        #expect(!bare.satisfies(role: .viewer, scope: .campaignsRead))
    }

    @Test func identitySurvivesItsJSON() throws {
        let principal = Principal(
            organizationID: OrganizationID(1),
            subject: .key(APIKeyID(3), maker: UserID(2)),
            role: .admin,
            scopes: [.campaignsRead]
        )
        let identity = InternalIdentity(
            caller: .gateway,
            callee: .campaigns,
            principal: principal,
            requestID: "r",
            publicURL: "https://x/y",
            clientAddress: "::1",
            expires: 9
        )
        #expect(try JSONCoding.decode(InternalIdentity.self, from: JSONCoding.encode(identity)) == identity)
    }

    @Test func idsAreReadFromPathsStrictly() {
        #expect(CampaignID("12") == CampaignID(12))
        #expect(CampaignID("9223372036854775807")?.rawValue == .max)
        for text in ["", "0", "-1", "1.0", "abc", " 1", "1 ", "0x1", "9223372036854775808", "١", "+1", "01"] {
            #expect(CampaignID(text) == nil, "\(text)")
        }
    }

    @Test func idsAreNumbersInJSON() throws {
        #expect(try JSONCoding.encode([CampaignID(12)]) == Array("[12]".utf8))
        #expect(try JSONCoding.decode([CampaignID].self, from: "[12]".utf8) == [CampaignID(12)])
        #expect(throws: DecodingError.self) { try JSONCoding.decode([CampaignID].self, from: #"["12"]"#.utf8) }
    }

    @Test func pageWritesNullWhenThereIsNoMore() throws {
        #expect(try JSONValue(parsing: JSONCoding.encode(Page(data: [1], nextCursor: nil))) == ["data": [1], "next_cursor": nil])
        #expect(try JSONValue(parsing: JSONCoding.encode(Page(data: [1], nextCursor: "x"))) == ["data": [1], "next_cursor": "x"])
    }
}
