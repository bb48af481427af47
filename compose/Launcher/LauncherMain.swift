@main
struct LauncherMain {
    static func main() async throws {}
}
