import Models

/// A provider as the catalogue shows it: what it is, what it asks for, what it can do. A value; behaviour is in ``Provider``.
struct ProviderDefinition: Encodable, Sendable {
    enum Category: String, Encodable, Sendable { case crm, email }

    /// How a connection proves itself to the provider.
    enum Authentication: String, Encodable, Sendable {
        case bearerToken = "bearer_token"
        case apiKey = "api_key"
        case password
    }

    enum Capability: String, Encodable, Sendable {
        case syncContacts = "sync_contacts"
        case sendEmail = "send_email"
    }

    let key: String
    let name: String
    let category: Category
    let authentication: Authentication
    let fields: [ConfigField]
    let capabilities: [Capability]
    /// Faults that concern several fields at once.
    let rule: @Sendable (ConfigDraft) -> [Problem.Fault]

    init(
        key: String,
        name: String,
        category: Category,
        authentication: Authentication,
        fields: [ConfigField],
        capabilities: [Capability],
        rule: @escaping @Sendable (ConfigDraft) -> [Problem.Fault] = { _ in [] }
    ) {
        self.key = key
        self.name = name
        self.category = category
        self.authentication = authentication
        self.fields = fields
        self.capabilities = capabilities
        self.rule = rule
    }

    enum CodingKeys: String, CodingKey {
        case key, name, category, authentication, capabilities
        case fields = "config_fields"
    }

    func has(_ capability: Capability) -> Bool { self.capabilities.contains(capability) }
}
