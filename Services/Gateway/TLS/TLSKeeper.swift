import Foundation
import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Holds the certificate that new connections get, and takes a new one when its files change: a renewed certificate needs no restart, and connections
/// under way keep theirs. A pair that cannot be used is reported, once per change, and the one before it stays.
final class TLSKeeper: Service {
    /// How often the files are looked at.
    private static let interval = Duration.seconds(5)
    /// From so many days before its end on, a certificate is warned about once a day.
    private static let warningDays = 14.0

    private struct State {
        var identity: TLSIdentity
        var changed: [Date]?
        var warned: Date?
    }

    private let files: TLSFiles
    private let interval: Duration
    private let logger: Logger
    private let state: Mutex<State>

    /// - Throws: ``TLSFault`` where the pair cannot be used.
    init(_ files: TLSFiles, interval: Duration = TLSKeeper.interval, logger: Logger) throws {
        self.files = files
        self.interval = interval
        self.logger = logger
        // Before reading: a change in between is seen as one.
        let changed = files.changed
        self.state = Mutex(State(identity: try files.load(), changed: changed))
        self.report()
    }

    var identity: TLSIdentity { self.state.withLock { $0.identity } }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Ends early only when the task is cancelled, which the loop's condition sees.
                try? await ContinuousClock().sleep(for: self.interval)
                self.look()
            }
        }
    }

    func look() {
        let changed = self.files.changed
        guard let changed, changed != self.state.withLock({ $0.changed }) else { return self.report() }
        self.state.withLock { $0.changed = changed }
        do {
            let identity = try self.files.load()
            self.state.withLock {
                $0.identity = identity
                $0.warned = nil
            }
            self.logger.notice("New connections get the new certificate", metadata: ["ends": "\(TLSFiles.day(identity.ends))"])
        } catch {
            self.logger.error("The new certificate cannot be used; the one before it stays", metadata: ["error": "\(error)"])
        }
        self.report()
    }

    private func report() {
        let now = Date.now
        let (ends, isNews) = self.state.withLock { state in
            let isNear = state.identity.ends.timeIntervalSince(now) < Self.warningDays * 86_400
            let isNews = isNear && state.warned.map { now.timeIntervalSince($0) >= 86_400 } ?? isNear
            if isNews { state.warned = now }
            return (state.identity.ends, isNews)
        }
        Gauge(label: "tls_certificate_expiry_seconds").record(ends.timeIntervalSince(now))
        guard isNews else { return }
        self.logger.warning("The certificate of this door ends soon", metadata: ["ends": "\(TLSFiles.day(ends))"])
    }
}
