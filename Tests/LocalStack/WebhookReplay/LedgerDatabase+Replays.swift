extension LedgerDatabase {
    /// Deliveries that a replay has made in pages that were committed.
    func made(by replay: Int64) async throws -> Int {
        try await self.rows("SELECT made FROM webhooks.replays WHERE id = \(replay)").first.flatMap { Int($0[0]) } ?? 0
    }

    /// Events whose delivery of the replay is settled as succeeded.
    func succeeded(in replay: Int64) async throws -> [String] {
        try await self.rows("SELECT event_id FROM webhooks.settled_deliveries WHERE replay_id = \(replay) AND state = 'succeeded'").map {
            $0[0]
        }
    }

    /// A page of a replay is half done: its deliveries are written, and the transaction that will note how far it came is open. Only a page
    /// holds these two locks together.
    func hasOpenPage() async throws -> Bool {
        let sessions = """
            SELECT count(*) FROM pg_locks AS held JOIN pg_locks AS written ON written.pid = held.pid
            WHERE held.relation = 'webhooks.replays'::regclass AND held.mode = 'RowShareLock'
                AND written.relation = 'webhooks.deliveries'::regclass AND written.mode = 'RowExclusiveLock'
            """
        return try await self.rows(sessions) != [["0"]]
    }
}
