package import ServiceLifecycle

/// Runs a service in a group of its own; `body` gets the function that begins graceful shutdown, which otherwise begins when it returns.
/// Returns when the service has ended.
package func withGracefulRun(of service: any Service, _ body: @Sendable (_ shutDown: @Sendable () async -> Void) async throws -> Void)
    async throws
{
    let group = ServiceGroup(
        configuration: ServiceGroupConfiguration(services: [.init(service: service, serviceName: "under test")], logger: TestLog.quiet)
    )
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        do {
            try await body { await group.triggerGracefulShutdown() }
        } catch {
            tasks.cancelAll()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}
