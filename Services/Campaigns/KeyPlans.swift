import Database

// Statistics know nothing of the campaign that was expanded a moment ago: by them the planner takes its messages for one row, reads them all
// for each message of a batch (26 s for a claim of 250 in 100,000, measured), or looks for the last pending one through the whole table because
// it expects many. The statements of sending therefore leave it no choice: rows that the statement itself has locked are named by their ctid, others
// by their unique send key, the first of a kind is asked for in the order of the one index that has it; and they are planned each time anew,
// without scans and joins of whole tables.

extension Transaction {
    /// For the rest of this transaction.
    func planByKeys() throws { try self.write(Self.keyPlans) }

    /// From here on rows also come in the order of an index, never sorted: a sort would read all that is pending to find the first few.
    func planInIndexOrder() throws { try self.write("SELECT set_config('enable_sort', 'off', true)") }

    fileprivate static var keyPlans: Query {
        """
        SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true),
            set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
        """
    }
}

extension Postgres {
    /// One write, planned by keys; the affected rows.
    @discardableResult
    func writeByKeys(_ query: Query) async throws -> Int {
        try await self.transaction { transaction in
            try transaction.pipeline([Transaction.keyPlans, query]).last ?? 0
        }
    }
}
