@main
struct CampaignsService {
    static func main() async throws {}
}
