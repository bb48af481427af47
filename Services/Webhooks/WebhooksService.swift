import Models
import ServiceKit

@main
struct WebhooksService {
    static let migrations: [(file: String, bytes: [UInt8])] = [
        ("M0001_events.sql", PackageResources.M0001_events_sql),
        ("M0002_subscriptions.sql", PackageResources.M0002_subscriptions_sql),
        ("M0003_deliveries.sql", PackageResources.M0003_deliveries_sql),
        ("M0004_delivery_queue.sql", PackageResources.M0004_delivery_queue_sql),
        ("M0005_signing_keys.sql", PackageResources.M0005_signing_keys_sql),
        ("M0006_subscription_options.sql", PackageResources.M0006_subscription_options_sql),
        ("M0007_replays.sql", PackageResources.M0007_replays_sql),
        ("M0008_event_deliveries.sql", PackageResources.M0008_event_deliveries_sql),
    ]

    static func main() async {
        await ServiceMain.run(.webhooks, migrations: Self.migrations, configuration: WebhooksConfiguration.self) { house, configuration in
            try WebhooksParts(house, configuration).assembly()
        }
    }
}
