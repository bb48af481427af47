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
        ("M0006_mails.sql", PackageResources.M0006_mails_sql),
        ("M0007_user_tokens.sql", PackageResources.M0007_user_tokens_sql),
        ("M0008_session_uses.sql", PackageResources.M0008_session_uses_sql),
        ("M0009_attempt_limits.sql", PackageResources.M0009_attempt_limits_sql),
        ("M0010_invitations.sql", PackageResources.M0010_invitations_sql),
        ("M0011_second_factors.sql", PackageResources.M0011_second_factors_sql),
    ]

    static func main() async {
        await ServiceMain.run(.gateway, migrations: Self.migrations, configuration: GatewayConfiguration.self) { house, configuration in
            try Gateway(house, configuration).assembly()
        }
    }
}
