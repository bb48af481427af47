import Models

/// The answer of `GET /admin/health`: each process as the gateway sees it. Replicas have numbers, not addresses.
struct PlatformHealth: Encodable, Sendable {
    enum Status: String, Encodable, Sendable {
        case ok, degraded
        /// No replica is ready.
        case down
    }

    /// ok where everything is.
    var status: Status
    var services: [String: ServiceHealth]
    var gateway: GatewayHealth

    init(services: [ServiceName: ServiceHealth], gateway: GatewayHealth) {
        self.services = Dictionary(services.map { ($0.key.rawValue, $0.value) }, uniquingKeysWith: { $1 })
        self.gateway = gateway
        let isWell = services.values.allSatisfy { $0.status == .ok } && gateway.parts.allSatisfy { $0 == .ok }
        self.status = isWell ? .ok : .degraded
    }
}

struct ServiceHealth: Encodable, Sendable {
    var status: PlatformHealth.Status
    var replicas: [ReplicaHealth]

    init(_ replicas: [ReplicaHealth]) {
        self.replicas = replicas.sorted { $0.replica < $1.replica }
        let ready = replicas.count { $0.status == .ready }
        self.status = ready == 0 ? .down : ready == replicas.count ? .ok : .degraded
    }
}

/// One process, by its answer to `/readyz`.
struct ReplicaHealth: Encodable, Sendable, Equatable {
    enum Status: String, Encodable, Sendable {
        case ready
        case notReady = "not_ready"
        /// It did not answer, or not as this platform's processes do.
        case unreachable
    }

    /// Its place in the configuration, from 1.
    var replica: Int
    var status: Status
    /// What it checked; empty where it did not say.
    var checks: [String: Bool]
    /// Until its answer had come; nil where none came.
    var latencyMilliseconds: Double?

    private enum CodingKeys: String, CodingKey {
        case replica, status, checks
        case latencyMilliseconds = "latency_ms"
    }

    static func unreachable(_ replica: Int) -> ReplicaHealth { ReplicaHealth(replica: replica, status: .unreachable, checks: [:]) }

    init(replica: Int, status: Status, checks: [String: Bool], latencyMilliseconds: Double? = nil) {
        self.replica = replica
        self.status = status
        self.checks = checks
        self.latencyMilliseconds = latencyMilliseconds
    }

    /// Reads the answer to `/readyz`: 200 or 503 with `{"checks": {…}}`.
    init(replica: Int, httpStatus: Int, body: [UInt8], latency: Duration) {
        let members = (try? JSONValue(parsing: body))?["checks"]?.objectValue
        guard let members, httpStatus == 200 || httpStatus == 503 else {
            self = .unreachable(replica)
            return
        }
        self.init(
            replica: replica,
            status: httpStatus == 200 ? .ready : .notReady,
            checks: members.compactMapValues(\.boolValue),
            latencyMilliseconds: latency.roundedMilliseconds
        )
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.replica, forKey: .replica)
        try container.encode(self.status, forKey: .status)
        try container.encode(self.checks, forKey: .checks)
        try container.encode(self.latencyMilliseconds, forKey: .latencyMilliseconds)
    }
}

/// What stands behind the gateway itself. Where its database does not answer, what is counted there is null.
struct GatewayHealth: Encodable, Sendable {
    var database: Database
    var limiter: ServiceStanding
    /// Gateways that are alive.
    var replicas: Int?
    var mail: Mail?
    var outbox: Outbox?

    struct Database: Encodable, Sendable {
        var standing: ServiceStanding
        var latencyMilliseconds: Double?

        private enum CodingKeys: String, CodingKey {
            case latencyMilliseconds = "latency_ms"
        }

        func encode(to encoder: any Encoder) throws {
            try self.standing.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(self.latencyMilliseconds, forKey: .latencyMilliseconds)
        }
    }

    /// Mail to members, of the whole platform.
    struct Mail: Encodable, Sendable {
        var standing: ServiceStanding
        var pending: Int
        var oldestPendingSeconds: Int?
        var failedLastDay: Int

        private enum CodingKeys: String, CodingKey {
            case pending
            case oldestPendingSeconds = "oldest_pending_seconds"
            case failedLastDay = "failed_last_day"
        }

        func encode(to encoder: any Encoder) throws {
            try self.standing.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(self.pending, forKey: .pending)
            try container.encode(self.oldestPendingSeconds, forKey: .oldestPendingSeconds)
            try container.encode(self.failedLastDay, forKey: .failedLastDay)
        }
    }

    /// What the gateway has for other services, of the whole platform.
    struct Outbox: Encodable, Sendable {
        var standing: ServiceStanding
        var pending: Int
        var oldestPendingSeconds: Int?
        /// Set aside: the receiver will never take it.
        var refused: Int

        private enum CodingKeys: String, CodingKey {
            case pending, refused
            case oldestPendingSeconds = "oldest_pending_seconds"
        }

        func encode(to encoder: any Encoder) throws {
            try self.standing.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(self.pending, forKey: .pending)
            try container.encode(self.oldestPendingSeconds, forKey: .oldestPendingSeconds)
            try container.encode(self.refused, forKey: .refused)
        }
    }

    private enum CodingKeys: String, CodingKey {
        case database, replicas, mail, outbox
        case limiter = "rate_limiter"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.database, forKey: .database)
        try container.encode(self.limiter, forKey: .limiter)
        try container.encode(self.replicas, forKey: .replicas)
        try container.encode(self.mail, forKey: .mail)
        try container.encode(self.outbox, forKey: .outbox)
    }

    var parts: [ServiceStanding.Status] {
        [self.database.standing.status, self.limiter.status] + [self.mail?.standing, self.outbox?.standing].compactMap { $0?.status }
    }
}

extension Duration {
    /// To a microsecond.
    var roundedMilliseconds: Double { (self / .microseconds(1)).rounded() / 1_000 }
}
