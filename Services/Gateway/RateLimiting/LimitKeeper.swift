import Logging
import ServiceKit
import ServiceLifecycle

/// Keeps the limiter's lots fresh, gives back what is not wanted, and all that is left when the process ends.
struct LimitKeeper: Service {
    private static let tidyEvery: Duration = .milliseconds(250)
    /// What is asked for before it is missed gathers for a moment, so that one statement asks for many counters; well below the time between
    /// ``LimitBucket/refreshAfter`` and ``LimitBucket/freshFor``.
    private static let gathering: Duration = .milliseconds(5)

    let limiter: RateLimiter
    let rings: AsyncStream<Void>
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.keepFresh() }
                group.addTask { await self.keepTidy() }
            }
        }
        await self.tidy(isLast: true)
    }

    private func keepFresh() async {
        for await _ in self.rings {
            // Ends early only when the task is cancelled: then what was asked for is asked at once.
            try? await ContinuousClock().sleep(for: Self.gathering)
            await self.limiter.refresh()
        }
    }

    private func keepTidy() async {
        while !Task.isCancelled {
            await self.tidy(isLast: false)
            // Ends early only when the task is cancelled, which the loop's condition sees.
            try? await ContinuousClock().sleep(for: Self.tidyEvery)
        }
    }

    private func tidy(isLast: Bool) async {
        do {
            try await self.limiter.tidy(isLast: isLast)
        } catch is CancellationError {
            return
        } catch {
            self.logger.warning("unused units could not be given back; they stay taken in their window", metadata: ["error": "\(error)"])
        }
    }
}

extension MetricsRegistry {
    func collect(_ limiter: RateLimiter) {
        self.collect {
            let load = limiter.load
            return [
                Sample("rate_limit_counters", .gauge, value: Double(load.counters)),
                Sample("rate_limit_units_held", .gauge, value: Double(load.held)),
            ]
        }
    }
}
