import Database
import HTTPTypes
import Logging
import Models
import ServiceKit
import Transport

/// Asks every process of the platform how it is.
struct HealthGatherer: Sendable {
    /// For one process's answer, and for the gateway's own database.
    static let limit = Duration.seconds(2)
    /// Mail that waits for so long is stuck: a server that refuses for a moment is asked again within minutes.
    private static let mailPatience = 600
    /// The same for the outbox, whose receivers are in the house.
    private static let outboxPatience = 300

    let replicas: [ServiceName: [String]]
    let http: HTTPClient
    let database: Postgres
    let limiter: RateLimiter
    let mailFate: MailFate
    let logger: Logger

    func health() async -> PlatformHealth {
        async let services = self.services()
        async let gateway = self.gateway()
        return await PlatformHealth(services: services, gateway: gateway)
    }

    // MARK: - Other processes

    private func services() async -> [ServiceName: ServiceHealth] {
        await withTaskGroup(of: (ServiceName, ReplicaHealth).self) { group in
            for (service, urls) in self.replicas {
                for (index, url) in urls.enumerated() {
                    group.addTask { (service, await self.ask(url, replica: index + 1, of: service)) }
                }
            }
            var found: [ServiceName: [ReplicaHealth]] = [:]
            for await (service, health) in group { found[service, default: []].append(health) }
            return found.mapValues(ServiceHealth.init)
        }
    }

    private func ask(_ url: String, replica: Int, of service: ServiceName) async -> ReplicaHealth {
        var timeouts = Timeouts()
        timeouts.connect = Self.limit
        timeouts.total = Self.limit
        let start = ContinuousClock.now
        do {
            let request = HTTPClientRequest(
                .get,
                HTTPTarget(try HTTPOrigin(url), path: "/readyz"),
                timeouts: timeouts,
                maximumResponseBytes: 1 << 16
            )
            let http = self.http
            let (status, body) = try await Gathering.within(Self.limit) {
                let response = try await http.send(request)
                return (response.head.status.code, try await response.collect(upTo: 1 << 16))
            }
            return ReplicaHealth(replica: replica, httpStatus: status, body: body, latency: ContinuousClock.now - start)
        } catch {
            self.logger.info(
                "A replica does not say whether it is ready",
                metadata: ["service": "\(service.rawValue)", "replica": "\(replica)", "error": "\(error)"]
            )
            return .unreachable(replica)
        }
    }

    // MARK: - The gateway

    private func gateway() async -> GatewayHealth {
        let start = ContinuousClock.now
        let limiter: ServiceStanding =
            self.limiter.isAway ? .degraded("Its counters cannot be reached: each policy does what it says of that.") : .ok
        do {
            let database = self.database
            let counts = try await Gathering.within(Self.limit) { try await Self.counts(database) }
            return GatewayHealth(
                database: .init(standing: .ok, latencyMilliseconds: (ContinuousClock.now - start).roundedMilliseconds),
                limiter: limiter,
                replicas: counts.replicas,
                mail: self.mail(counts),
                outbox: Self.outbox(counts)
            )
        } catch {
            self.logger.warning("The gateway's own health was not read", metadata: ["error": "\(error)"])
            return GatewayHealth(database: .init(standing: ServiceStanding(error)), limiter: limiter)
        }
    }

    private func mail(_ counts: HealthCounts) -> GatewayHealth.Mail {
        var standing = ServiceStanding.ok
        if self.mailFate == .notConfigured {
            standing = .degraded("No mail server is configured: members get no mail.")
        } else if let oldest = counts.oldestMail, oldest > Self.mailPatience {
            standing = .degraded("Mail waits for longer than usual.")
        }
        return GatewayHealth.Mail(
            standing: standing,
            pending: counts.mails,
            oldestPendingSeconds: counts.oldestMail,
            failedLastDay: counts.failedMails
        )
    }

    private static func outbox(_ counts: HealthCounts) -> GatewayHealth.Outbox {
        var standing = ServiceStanding.ok
        if counts.refused > 0 {
            standing = .degraded("Something was refused by its receiver and set aside.")
        } else if let oldest = counts.oldestEntry, oldest > Self.outboxPatience {
            standing = .degraded("What other services should get waits for longer than usual.")
        }
        return GatewayHealth.Outbox(
            standing: standing,
            pending: counts.entries,
            oldestPendingSeconds: counts.oldestEntry,
            refused: counts.refused
        )
    }

    /// From the indexes of what is pending, failed and refused: their size is that of the trouble.
    private static func counts(_ database: Postgres) async throws -> HealthCounts {
        let counts: HealthCounts? = try await database.readFirst(
            """
            SELECT
                (SELECT count(*) FROM gateway_replicas WHERE seen_at > now() - make_interval(secs => \(ReplicaPresence.goneAfterSeconds)))
                    AS replicas,
                mail.pending AS mails, mail.oldest AS oldest_mail,
                (SELECT count(*) FROM mails WHERE state <> 'pending' AND state = 'failed' AND settled_at > now() - interval '1 day')
                    AS failed_mails,
                waiting.pending AS entries, waiting.oldest AS oldest_entry,
                (SELECT count(*) FROM outbox WHERE state = 'refused') AS refused
            FROM (
                SELECT count(*) AS pending, floor(extract(epoch FROM now() - min(created_at)))::bigint AS oldest
                FROM mails WHERE state = 'pending'
            ) AS mail
            CROSS JOIN (
                SELECT count(*) AS pending, floor(extract(epoch FROM now() - min(created_at)))::bigint AS oldest
                FROM outbox WHERE state = 'pending'
            ) AS waiting
            """
        )
        guard let counts else { throw DatabaseError(.decoding, "the counts of health have no row") }
        return counts
    }
}

private struct HealthCounts: RowDecodable {
    var replicas: Int
    var mails: Int
    /// Seconds.
    var oldestMail: Int?
    var failedMails: Int
    var entries: Int
    /// Seconds.
    var oldestEntry: Int?
    var refused: Int

    init(row: Row) throws {
        // The one that asks is alive, whether it has written its row already or not.
        self.replicas = max(1, try row.get("replicas"))
        self.mails = try row.get("mails")
        self.oldestMail = try row.get("oldest_mail")
        self.failedMails = try row.get("failed_mails")
        self.entries = try row.get("entries")
        self.oldestEntry = try row.get("oldest_entry")
        self.refused = try row.get("refused")
    }
}
