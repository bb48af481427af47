import Foundation
import LocalStack
import Models
import Testing

extension EndToEnd {
    @Suite struct Starting {
        /// Runs a service with this environment and answers its exit code and everything it printed.
        private func start(_ service: ServiceName, _ environment: [String: String]) async throws -> (code: Int32, output: String) {
            let file = "\(EndToEnd.stack.settings.runDirectory)/start-\(service.rawValue)-\(UUID().uuidString).log"
            let process = try ChildProcess(
                name: service.rawValue,
                executable: "\(Paths.binaries)/\(service.rawValue)",
                arguments: [],
                environment: environment.merging(["PATH": "/usr/bin:/bin"]) { $1 },
                output: file
            )
            let code = await process.exit()
            return (code, try String(contentsOfFile: file, encoding: .utf8))
        }

        @Test(arguments: ServiceName.allCases)
        func everyMissingVariableIsNamedBeforeListening(_ service: ServiceName) async throws {
            let (code, output) = try await self.start(service, [:])
            #expect(code == 1)
            for name in ["DATABASE_URL", "PUBLIC_URL", "ENCRYPTION_KEY", "INTERNAL_KEY_"] {
                #expect(output.contains(name), "\(service.rawValue) names \(name)")
            }
        }

        @Test(arguments: ServiceName.allCases)
        func aMalformedVariableIsNamedWithoutItsValue(_ service: ServiceName) async throws {
            let secret = "not-a-url-but-secret-8271"
            let port = "\(service.rawValue.uppercased())_PORT"
            let (code, output) = try await self.start(service, ["DATABASE_URL": secret, port: "eighty"])
            #expect(code == 1)
            #expect(output.contains("DATABASE_URL"))
            #expect(output.contains(port))
            #expect(!output.contains(secret))
        }
    }
}
