package import Encryption
package import Logging
package import Models
package import Transport

package enum HouseEnvironment: String, Sendable, CaseIterable { case production, development }

/// What every process reads from its environment.
package struct HouseConfiguration: Sendable {
    package var service: ServiceName
    /// `SWITCHBOARD_ENV`: production (default) or development, which allows well-known keys and links in the log.
    package var environment: HouseEnvironment
    /// `HOST`: address to listen on; 0.0.0.0, in development 127.0.0.1.
    package var host: String
    /// `GATEWAY_PORT` 8080, `INTEGRATIONS_PORT` 8081, `CAMPAIGNS_PORT` 8082, `WEBHOOKS_PORT` 8083.
    package var port: Int
    /// `DATABASE_URL`: the runtime role, `postgres://role:password@host:port/database`.
    package var databaseURL: Secret
    /// `PUBLIC_URL`: where clients reach the gateway.
    package var publicURL: String
    /// `OUTBOUND_ALLOW`: CIDR and port list that opens the outbound guard for tests and demos; empty by default.
    package var outboundGuard: OutboundGuard
    package var outboundAllow: String
    /// `GATEWAY_URLS`, `INTEGRATIONS_URLS`, `CAMPAIGNS_URLS`, `WEBHOOKS_URLS`: replicas of the services that this one calls.
    package var replicas: [ServiceName: [String]]
    /// `INTERNAL_KEY_<PEER>`: one or two comma-separated keys of at least 32 characters shared with that peer; the first signs.
    package var internalKeys: [ServiceName: [Secret]]
    /// `ENCRYPTION_KEY`: 32 bytes in base64, or a passphrase of at least 32 characters; another one in each process.
    package var encryptionKey: Secret
    /// `ENCRYPTION_KEYS_PREVIOUS`: comma-separated keys that still open what they sealed.
    package var previousEncryptionKeys: [Secret]
    /// `TRUSTED_PROXIES`: comma-separated CIDRs whose `X-Forwarded-For` is believed.
    package var trustedProxies: [AddressRange]
    /// `LOG_LEVEL`: trace, debug, info (default), notice, warning, error, critical.
    package var logLevel: Logger.Level
    /// `DATABASE_READ_CONNECTIONS` (2) and `DATABASE_WRITE_CONNECTIONS` (8).
    package var readConnections: Int
    package var writeConnections: Int
    /// `DATABASE_WAIT_LIMIT`: seconds that a caller waits for a free connection (5).
    package var databaseWaitLimit: Duration
    /// `MAXIMUM_CONNECTIONS`: client connections taken at once (10000).
    package var maximumConnections: Int
    /// `CONNECTIONS_PER_ADDRESS`: of these, from one address (an IPv6 /64) that is neither local nor a trusted proxy (256; 0 for no limit).
    /// Only the gateway makes use of it.
    package var connectionsPerAddress: Int
    /// `METRICS_TOKEN`: what a scraper of `/metrics` has to show; without one the gateway serves no metrics in production.
    package var metricsToken: Secret?

    package init(_ reader: SettingsReader, service: ServiceName) throws {
        let environment = reader.choice("SWITCHBOARD_ENV", default: HouseEnvironment.production)
        self.service = service
        self.environment = environment
        self.host = reader.string("HOST", default: environment == .development ? "127.0.0.1" : "0.0.0.0")
        self.port = reader.integer("\(service.rawValue.uppercased())_PORT", default: service.defaultPort, in: 1...65535)
        self.databaseURL = Self.databaseURL(reader, "DATABASE_URL")
        self.publicURL = reader.url("PUBLIC_URL")
        self.replicas = Self.replicas(reader, service)
        self.internalKeys = Self.internalKeys(reader, service)
        self.encryptionKey = reader.secret("ENCRYPTION_KEY")
        self.previousEncryptionKeys = Self.list(reader.optionalSecret("ENCRYPTION_KEYS_PREVIOUS")?.reveal()).map { Secret($0) }
        self.outboundAllow = reader.optionalString("OUTBOUND_ALLOW") ?? ""
        self.outboundGuard = try Self.outboundGuard(reader, self.outboundAllow)
        self.trustedProxies = Self.trustedProxies(reader)
        self.logLevel = reader.choice("LOG_LEVEL", default: Logger.Level.info)
        self.readConnections = reader.integer("DATABASE_READ_CONNECTIONS", default: 2, in: 1...100)
        self.writeConnections = reader.integer("DATABASE_WRITE_CONNECTIONS", default: 8, in: 1...100)
        self.databaseWaitLimit = reader.seconds("DATABASE_WAIT_LIMIT", default: 5, in: 0.1...60)
        self.maximumConnections = reader.integer("MAXIMUM_CONNECTIONS", default: 10_000, in: 10...1_000_000)
        self.connectionsPerAddress = reader.integer("CONNECTIONS_PER_ADDRESS", default: 256, in: 0...1_000_000)
        self.metricsToken = reader.optionalSecret("METRICS_TOKEN")
    }

    /// The process's key ring; a weak or malformed key becomes a fault of `ENCRYPTION_KEY`.
    package func keyRing(_ reader: SettingsReader) -> KeyRing? {
        guard !self.encryptionKey.isEmpty else { return nil }
        do {
            return try KeyRing(
                current: self.encryptionKey,
                previous: self.previousEncryptionKeys,
                development: self.environment == .development
            )
        } catch let error as EncryptionError {
            reader.fault("ENCRYPTION_KEY", "or ENCRYPTION_KEYS_PREVIOUS cannot be used: \(error.detail)")
        } catch {
            reader.fault("ENCRYPTION_KEY", "cannot be used")
        }
        return nil
    }

    /// A Postgres URL under this name; its form is checked, the server is not asked.
    static func databaseURL(_ reader: SettingsReader, _ name: String) -> Secret {
        let url = reader.secret(name)
        let text = url.reveal()
        if !text.isEmpty, !text.hasPrefix("postgres://"), !text.hasPrefix("postgresql://") {
            reader.fault(name, "must begin with postgres://")
        }
        return url
    }

    private static func replicas(_ reader: SettingsReader, _ service: ServiceName) -> [ServiceName: [String]] {
        var replicas: [ServiceName: [String]] = [:]
        for peer in service.callees {
            let name = "\(peer.rawValue.uppercased())_URLS"
            let urls = self.list(reader.string(name)).map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
            for url in urls {
                if let reason = SettingsReader.urlFault(url) {
                    reader.fault(name, reason)
                } else if url.split(separator: "/", omittingEmptySubsequences: true).count != 2 {
                    reader.fault(name, "must not have a path")
                }
            }
            replicas[peer] = urls
        }
        return replicas
    }

    private static func internalKeys(_ reader: SettingsReader, _ service: ServiceName) -> [ServiceName: [Secret]] {
        var keys: [ServiceName: [Secret]] = [:]
        for peer in ServiceName.allCases where peer != service {
            let name = "INTERNAL_KEY_\(peer.rawValue.uppercased())"
            let parts = self.list(reader.secret(name).reveal())
            if parts.count > 2 { reader.fault(name, "must hold at most two keys") }
            if parts.contains(where: { $0.utf8.count < 32 }) { reader.fault(name, "must hold keys of at least 32 characters") }
            keys[peer] = parts.map { Secret($0) }
        }
        return keys
    }

    private static func outboundGuard(_ reader: SettingsReader, _ allow: String) throws -> OutboundGuard {
        do {
            return try OutboundGuard(allow: allow)
        } catch {
            reader.fault("OUTBOUND_ALLOW", "must be a comma-separated list of CIDR or CIDR:port")
            return try OutboundGuard(allow: "")
        }
    }

    private static func trustedProxies(_ reader: SettingsReader) -> [AddressRange] {
        self.list(reader.optionalString("TRUSTED_PROXIES")).compactMap { text in
            guard let range = AddressRange(text) else {
                reader.fault("TRUSTED_PROXIES", "must be a comma-separated list of addresses or CIDRs")
                return nil
            }
            return range
        }
    }

    private static func list(_ text: String?) -> [String] {
        (text ?? "").split(separator: ",").map { $0.trimmingPrefix(" ") }.map { text in
            var text = text
            while text.hasSuffix(" ") { text = text.dropLast() }
            return String(text)
        }.filter { !$0.isEmpty }
    }
}

extension ServiceName {
    var defaultPort: Int {
        switch self {
        case .gateway: 8080
        case .integrations: 8081
        case .campaigns: 8082
        case .webhooks: 8083
        }
    }

    /// The services that this one calls.
    package var callees: [ServiceName] {
        switch self {
        case .gateway: [.integrations, .campaigns, .webhooks]
        case .integrations: [.gateway, .campaigns, .webhooks]
        case .campaigns: [.gateway, .integrations, .webhooks]
        case .webhooks: [.gateway]
        }
    }
}
