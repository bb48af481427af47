-- One event to one subscription. No foreign keys: fan-out makes the rows from the two tables in one statement, nothing else writes them,
-- and a key-share lock per row on a busy subscription is what would limit intake.
CREATE TABLE deliveries (
    organization_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    event_id text COLLATE "C" NOT NULL,
    event_type text NOT NULL,
    subscription_id bigint NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivering', 'succeeded', 'dead')),
    -- Attempts begun; numbers the rows of attempts.
    attempts integer NOT NULL DEFAULT 0,
    -- Attempts that failed; position in the retry schedule. An attempt cut off by a crash is in attempts, not here.
    failures integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    -- Raised by each claim; what a worker writes must match it.
    fence bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    last_status integer,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    PRIMARY KEY (organization_id, id),
    CHECK ((state = 'delivering') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'dead')) = (settled_at IS NOT NULL))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);

-- A lane is the waiting deliveries of one subscription: claims hop from lane to lane through this index and read the due ones of each.
CREATE INDEX deliveries_lanes ON deliveries (organization_id, subscription_id, next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_in_flight ON deliveries (organization_id, subscription_id, lease_until) WHERE state = 'delivering';
CREATE INDEX deliveries_by_event ON deliveries (organization_id, event_id, id);
CREATE INDEX deliveries_by_subscription ON deliveries (organization_id, subscription_id, id);
CREATE INDEX deliveries_dead ON deliveries (organization_id, id) WHERE state = 'dead';

CREATE TABLE attempts (
    organization_id bigint NOT NULL,
    delivery_id bigint NOT NULL,
    number integer NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms integer,
    -- HTTP status; NULL where no answer came.
    status integer,
    -- Class of the failure, a short machine word; NULL for a success.
    error text,
    -- The first KiB of the answer, cleaned.
    excerpt text,
    PRIMARY KEY (organization_id, delivery_id, number)
);
