import Models
import ServiceKit

@main
struct GatewayService {
    static let migrations: [(file: String, bytes: [UInt8])] = [
        ("M0001_accounts.sql", PackageResources.M0001_accounts_sql),
        ("M0002_sessions.sql", PackageResources.M0002_sessions_sql),
        ("M0003_api_keys.sql", PackageResources.M0003_api_keys_sql),
        ("M0004_rate_limits.sql", PackageResources.M0004_rate_limits_sql),
        ("M0005_audit.sql", PackageResources.M0005_audit_sql),
        ("M0020_rate_limit_grants.sql", PackageResources.M0020_rate_limit_grants_sql),
        ("M0021_gateway_replicas.sql", PackageResources.M0021_gateway_replicas_sql),
    ]

    static func main() async {
        await ServiceMain.run(.gateway, migrations: Self.migrations, configuration: GatewayConfiguration.self) { house, configuration in
            try Gateway(house, configuration).assembly()
        }
    }
}
