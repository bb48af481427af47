-- Security-relevant changes of all services. No foreign key: the log outlives what it tells of.
CREATE TABLE audit_logs (
    organization_id bigint NOT NULL,
    id text NOT NULL,
    service text NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    details jsonb NOT NULL,
    address text,
    request_id text,
    timestamp timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);

CREATE INDEX audit_logs_time ON audit_logs (organization_id, timestamp DESC);

-- The runtime role adds rows and reads them; it cannot change what is written.
REVOKE UPDATE, DELETE, TRUNCATE ON audit_logs FROM gateway;
