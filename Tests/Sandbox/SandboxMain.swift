@main
struct SandboxMain {
    static func main() async throws {}
}
