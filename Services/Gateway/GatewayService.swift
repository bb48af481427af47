@main
struct GatewayService {
    static func main() async throws {}
}
