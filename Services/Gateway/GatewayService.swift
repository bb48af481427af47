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
        ("M0013_key_settings.sql", PackageResources.M0013_key_settings_sql),
        ("M0014_request_logs.sql", PackageResources.M0014_request_logs_sql),
        ("M0015_usage.sql", PackageResources.M0015_usage_sql),
        ("M0016_audit_chain.sql", PackageResources.M0016_audit_chain_sql),
        ("M0020_rate_limit_grants.sql", PackageResources.M0020_rate_limit_grants_sql),
        ("M0021_gateway_replicas.sql", PackageResources.M0021_gateway_replicas_sql),
        ("M0022_notices.sql", PackageResources.M0022_notices_sql),
        ("M0023_quota_crossings.sql", PackageResources.M0023_quota_crossings_sql),
    ]

    static func main() async {
        await ServiceMain.run(
            .gateway,
            migrations: Self.migrations,
            configuration: GatewayConfiguration.self,
            commands: OperatorCommands.all
        ) { house, configuration in
            try Gateway(house, configuration).assembly()
        }
    }
}
