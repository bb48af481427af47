import Models

extension Contact {
    /// What HubSpot shows where nothing else is asked for.
    static let defaultProperties = ["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"]
    private static let alwaysShown = ["createdate", "hs_object_id", "lastmodifieddate"]

    /// - properties: names asked for; empty for the defaults. Unknown ones are left out, known ones without a value are null.
    func json(_ properties: [String]) -> JSONValue {
        let names =
            properties.isEmpty ? Self.defaultProperties : Self.alwaysShown + properties.filter(ContactAccount.knownProperties.contains)
        var shown: [String: JSONValue] = [:]
        for name in names { shown[name] = self.property(name).map(JSONValue.string) ?? .null }
        var members: [String: JSONValue] = [
            "id": .string(String(self.id)),
            "properties": .object(shown),
            "createdAt": .string(Clock.text(self.createdAt)),
            "updatedAt": .string(Clock.text(self.modifiedAt)),
            "archived": .bool(self.isArchived),
            "url": .string("https://app-eu1.hubspot.com/contacts/\(HubSpotRoutes.portalID)/record/0-1/\(self.id)"),
        ]
        if self.isArchived { members["archivedAt"] = .string(Clock.text(self.modifiedAt)) }
        return .object(members)
    }
}
