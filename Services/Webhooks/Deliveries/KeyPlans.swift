import Database

// Plans by keys, whatever the statistics say of a table that is empty one minute and holds millions the next: without sorting, the order that
// each look-up asks for is that of the one index which it is meant for.

extension Transaction {
    /// For the rest of this transaction.
    func planByKeys() throws { try self.write("SELECT \(Self.keyPlans)") }

    /// SQL: what a `SELECT` in front of such statements sets until its transaction ends.
    static var keyPlans: Query {
        """
        set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
            set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
            set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true)
        """
    }
}
