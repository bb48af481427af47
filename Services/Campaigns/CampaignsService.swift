import Models
import ServiceKit

@main
struct CampaignsService {
    static let migrations: [(file: String, bytes: [UInt8])] = [
        ("M0001_contacts.sql", PackageResources.M0001_contacts_sql),
        ("M0002_campaigns.sql", PackageResources.M0002_campaigns_sql),
        ("M0003_messages.sql", PackageResources.M0003_messages_sql),
        ("M0004_send_keys_first.sql", PackageResources.M0004_send_keys_first_sql),
    ]

    static func main() async {
        await ServiceMain.run(.campaigns, migrations: Self.migrations, configuration: CampaignsConfiguration.self) { house, configuration in
            CampaignsAssembly(house, configuration).assembly
        }
    }
}
