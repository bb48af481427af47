import Database
import Encryption
import Logging
import Models
import ServiceLifecycle

/// Tells every replica what was revoked, in the revoking transaction.
enum Revocation {
    static let channel = "gateway_revoked"

    static func announce(_ tag: CredentialTag, in transaction: Transaction) throws {
        _ = try transaction.first("SELECT pg_notify(\(self.channel), \(tag.text))", as: String.self)
    }
}

/// Hears revocations and keeps the proof that it does: a few times a second it notifies itself and waits for the echo.
struct RevocationFeed: Service {
    /// Well below ``EchoProof/trustedFor``, so that one late echo does not end the trust.
    static let beat: Duration = .milliseconds(200)

    private let database: Postgres
    private let cache: CredentialCache
    private let logger: Logger
    private let echoChannel: String
    private let clock = ContinuousClock()
    private let origin = ContinuousClock.now

    init(database: Postgres, cache: CredentialCache, logger: Logger) throws {
        self.database = database
        self.cache = cache
        self.logger = logger
        // Each process its own: nobody else's echo proves anything here.
        self.echoChannel = "gateway_echo_\(Hex.encode(try RandomToken.bytes(8)))"
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.listen() }
                group.addTask { await self.keepBeating() }
            }
        }
    }

    private func listen() async {
        for await notification in self.database.listen([Revocation.channel, self.echoChannel]) {
            self.take(notification)
        }
        self.cache.dropAll()
    }

    func take(_ notification: Notification) {
        switch notification {
        case .reconnected:
            self.cache.dropAll()
        case .received(self.echoChannel, let payload):
            guard let nanoseconds = Int64(payload) else { return }
            self.cache.heardEcho(sentAt: self.origin + .nanoseconds(nanoseconds))
        case .received(_, let payload):
            guard let tag = CredentialTag(payload) else {
                // A newer build may name what this one does not know: forgetting all is always right.
                return self.cache.dropAll()
            }
            self.cache.drop(tag)
        }
    }

    private func keepBeating() async {
        var isSilent = false
        while !Task.isCancelled {
            do {
                try await self.sendEcho()
                isSilent = false
            } catch is CancellationError {
                return
            } catch {
                if !isSilent {
                    self.logger.warning("no echo can be sent; credentials are read from the database", metadata: ["error": "\(error)"])
                }
                isSilent = true
            }
            // Ends early only when the task is cancelled, which the loop's condition sees.
            try? await self.clock.sleep(for: Self.beat)
        }
    }

    private func sendEcho() async throws {
        let age = (self.clock.now - self.origin).components
        let nanoseconds = age.seconds * 1_000_000_000 + age.attoseconds / 1_000_000_000
        _ = try await self.database.writeFirst("SELECT pg_notify(\(self.echoChannel), \(String(nanoseconds)))", as: String.self)
    }
}
