@main
struct IntegrationsService {
    static func main() async throws {}
}
