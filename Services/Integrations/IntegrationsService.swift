import Models
import ServiceKit

@main
struct IntegrationsService {
    static let migrations: [(file: String, bytes: [UInt8])] = [
        ("M0001_integrations.sql", PackageResources.M0001_integrations_sql),
        ("M0002_records.sql", PackageResources.M0002_records_sql),
        ("M0003_syncs.sql", PackageResources.M0003_syncs_sql),
        ("M0004_outbound_messages.sql", PackageResources.M0004_outbound_messages_sql),
    ]

    static func main() async {
        await ServiceMain.run(.integrations, migrations: Self.migrations, configuration: IntegrationsConfiguration.self) {
            house,
            configuration in
            try IntegrationsAssembly(house, configuration).assembled()
        }
    }
}
