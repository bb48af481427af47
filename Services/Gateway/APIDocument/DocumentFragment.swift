import Models

/// What one feature's file in `Fragments/` says of its routes beyond what the route catalogue knows.
struct DocumentFragment: Sendable {
    /// Name of the file, for faults.
    let file: String
    /// `name` and `description` of the group under which the operations are shown.
    let tag: JSONValue
    /// By ``Route/name``.
    let operations: [String: JSONValue]
    let schemas: [String: JSONValue]

    /// - Throws: a `YamlError`.
    init(file: String, _ bytes: [UInt8]) throws {
        try self.init(file: file, YAMLText.parse(String(decoding: bytes, as: UTF8.self)))
    }

    init(file: String, _ value: JSONValue) {
        self.file = file
        self.tag = value["tag"] ?? .null
        self.operations = value["operations"]?.objectValue ?? [:]
        self.schemas = value["schemas"]?.objectValue ?? [:]
    }

    /// In the order in which the document shows them.
    static let files: [(file: String, bytes: [UInt8])] = [
        ("accounts.yaml", PackageResources.accounts_yaml),
        ("passwords.yaml", PackageResources.passwords_yaml),
        ("members.yaml", PackageResources.members_yaml),
        ("keys.yaml", PackageResources.keys_yaml),
        ("usage.yaml", PackageResources.usage_yaml),
        ("audit.yaml", PackageResources.audit_yaml),
        ("notifications.yaml", PackageResources.notifications_yaml),
        ("integrations.yaml", PackageResources.integrations_yaml),
        ("contacts.yaml", PackageResources.contacts_yaml),
        ("campaigns.yaml", PackageResources.campaigns_yaml),
        ("webhooks.yaml", PackageResources.webhooks_yaml),
        ("deliveries.yaml", PackageResources.deliveries_yaml),
        ("admin.yaml", PackageResources.admin_yaml),
        ("document.yaml", PackageResources.document_yaml),
    ]

    static func all() throws -> [DocumentFragment] { try self.files.map { try DocumentFragment(file: $0.file, $0.bytes) } }
}
