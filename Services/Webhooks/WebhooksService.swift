@main
struct WebhooksService {
    static func main() async throws {}
}
