-- Units granted to the gateway's replicas in each window of a policy. One upsert grants; nothing else writes `used`.
-- Half of each page stays free, so that the many updates of one row stay on it and touch no index.
CREATE TABLE rate_limit_windows (
    organization_id bigint NOT NULL REFERENCES organizations ON DELETE CASCADE,
    key_id bigint NOT NULL,
    policy text NOT NULL,
    window_start timestamptz NOT NULL,
    used bigint NOT NULL CHECK (used >= 0),
    PRIMARY KEY (organization_id, key_id, policy, window_start)
) WITH (fillfactor = 50);
