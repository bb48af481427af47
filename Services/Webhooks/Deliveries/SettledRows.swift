import Database

/// Deliveries that leave the queue without another attempt.
enum SettledRows {
    /// Moves the rows of `deliveries` that the condition holds for into the log, as dead.
    static func calledOff(_ condition: Query, because reason: DeliveryFailure) -> Query {
        """
        WITH called_off AS (DELETE FROM deliveries WHERE \(condition) RETURNING *)
        INSERT INTO settled_deliveries (organization_id, id, event_id, event_type, subscription_id, cause, replay_id, state, attempts,
            last_status, last_error, last_duration_ms, history, created_at, settled_at)
        SELECT organization_id, id, event_id, event_type, subscription_id, cause, replay_id, 'dead', attempts, last_status,
            \(reason.rawValue), last_duration_ms, history, created_at, now()
        FROM called_off
        """
    }
}
