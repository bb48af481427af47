-- breaking: an older build writes entries without a place in the chain.
-- Entries of an organization form a chain: each has the next position and a MAC over its fields and the MAC before it, so that a removed,
-- rewritten or moved row shows. Heads are also written to the log, so that a cut tail shows beside the logs that were shipped.
ALTER TABLE audit_logs
    ADD COLUMN position bigint,
    -- Which of the process's keys made the MAC.
    ADD COLUMN mac_key text,
    ADD COLUMN mac bytea;

-- Older entries come before the chain, at positions up to 0, and have no MAC.
UPDATE audit_logs SET position = older.position
FROM (
    SELECT organization_id, id,
        row_number() OVER by_time - count(*) OVER (PARTITION BY organization_id) AS position
    FROM audit_logs
    WINDOW by_time AS (PARTITION BY organization_id ORDER BY recorded_at, id)
) AS older
WHERE audit_logs.organization_id = older.organization_id AND audit_logs.id = older.id;

ALTER TABLE audit_logs
    ALTER COLUMN position SET NOT NULL,
    ADD CONSTRAINT audit_logs_chained CHECK (position <= 0 OR (mac_key IS NOT NULL AND octet_length(mac) = 32));

CREATE UNIQUE INDEX audit_logs_position ON audit_logs (organization_id, position);
CREATE INDEX audit_logs_action ON audit_logs (organization_id, action, position);
CREATE INDEX audit_logs_actor ON audit_logs (organization_id, actor, position);

-- The last entry of each organization; its row is locked by whoever adds one.
CREATE TABLE audit_heads (
    organization_id bigint PRIMARY KEY,
    position bigint NOT NULL,
    -- Empty before the first entry.
    mac bytea NOT NULL,
    -- The position last written to the log.
    announced_position bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

REVOKE DELETE, TRUNCATE ON audit_heads FROM gateway;
