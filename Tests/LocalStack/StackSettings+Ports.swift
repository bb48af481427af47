import Models

extension StackSettings {
    /// A port that the stack listens on, and the variable that moves it.
    struct PortUse: Sendable {
        var port: Int
        var variable: String
        var purpose: String
    }

    struct PortsTaken: Error, CustomStringConvertible { var description: String }

    private var portUses: [PortUse] {
        var uses = ServiceName.allCases.map { service in
            PortUse(port: self.ports[service] ?? 0, variable: "\(service.rawValue.uppercased())_PORT", purpose: service.rawValue)
        }
        uses.append(PortUse(port: self.postgresPort, variable: "POSTGRES_PORT", purpose: "Postgres"))
        if self.hasSandbox {
            uses.append(PortUse(port: self.sandboxPort, variable: "SANDBOX_PORT", purpose: "the sandbox providers"))
            uses.append(PortUse(port: self.sinkPort, variable: "SMTP_SINK_PORT", purpose: "the mail sink"))
        }
        return uses
    }

    /// Names every port that cannot be had, before anything is started.
    /// - patience: how long ports may take to come free, where strays have just been ended.
    func checkPorts(patience: Duration) async throws {
        let uses = self.portUses
        for (port, same) in Dictionary(grouping: uses, by: \.port) where same.count > 1 {
            throw PortsTaken(description: "\(same.map(\.variable).joined(separator: " and ")) are both \(port)")
        }
        let deadline = ContinuousClock.now + patience
        while true {
            let busy = uses.filter { !FreePort.isFree($0.port) }
            if busy.isEmpty { return }
            guard ContinuousClock.now < deadline else {
                let list = busy.map { "\n  port \($0.port), meant for \($0.purpose): set \($0.variable) to another" }
                throw PortsTaken(description: "other programs listen on ports that the stack needs:" + list.joined())
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
