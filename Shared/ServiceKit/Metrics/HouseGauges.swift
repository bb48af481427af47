import Database
package import Transport

extension MetricsRegistry {
    /// How busy a client is, read when asked for.
    /// - name: the label `client`.
    package func collect(_ name: String, _ load: @escaping @Sendable () -> TransportLoad) {
        self.collect {
            let load = load()
            return [
                Sample("transport_calls_in_flight", .gauge, labels: [("client", name)], value: Double(load.inFlight)),
                Sample("transport_calls_queued", .gauge, labels: [("client", name)], value: Double(load.queued)),
            ]
        }
    }

    func collect(_ database: Postgres) {
        self.collect {
            let load = database.load
            return [
                Sample("database_reads_in_flight", .gauge, value: Double(load.readsInFlight)),
                Sample("database_writes_queued", .gauge, value: Double(load.writesQueued)),
                Sample("database_write_connections_busy", .gauge, value: Double(load.busyWriteConnections)),
            ]
        }
    }
}
