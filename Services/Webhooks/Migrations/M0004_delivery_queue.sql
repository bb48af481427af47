-- breaking: What is still to be delivered and what is done lie apart: the queue stays as small as what waits, and the log goes by days.
DO $$ BEGIN PERFORM set_config('search_path', format('%I, pg_temp', current_schema()), true); END $$;

-- The last position given in each organization's event log. Locked by every transaction that adds events, so that positions are committed
-- in their order and a feed that follows them misses none.
CREATE TABLE event_heads (
    organization_id bigint PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 50);

ALTER TABLE events ADD COLUMN position bigint NOT NULL DEFAULT 0;
UPDATE events SET position = numbered.position
FROM (SELECT organization_id, id, row_number() OVER (PARTITION BY organization_id ORDER BY received_at, id) AS position FROM events) AS numbered
WHERE events.organization_id = numbered.organization_id AND events.id = numbered.id;
INSERT INTO event_heads SELECT organization_id, max(position) FROM events GROUP BY organization_id;
CREATE INDEX events_by_position ON events (organization_id, position);

-- Settled deliveries, by the day (UTC) of their end; retention drops whole days.
CREATE TABLE settled_deliveries (
    organization_id bigint NOT NULL,
    id bigint NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    event_type text NOT NULL,
    subscription_id bigint NOT NULL,
    cause text NOT NULL,
    replay_id bigint,
    state text NOT NULL CHECK (state IN ('succeeded', 'dead')),
    attempts integer NOT NULL,
    last_status integer,
    last_error text,
    last_duration_ms integer,
    history jsonb,
    created_at timestamptz NOT NULL,
    settled_at timestamptz NOT NULL
) PARTITION BY RANGE (settled_at);
CREATE TABLE settled_deliveries_default PARTITION OF settled_deliveries DEFAULT;
CREATE INDEX settled_deliveries_by_id ON settled_deliveries (organization_id, id);
CREATE INDEX settled_deliveries_by_event ON settled_deliveries (organization_id, event_id, id);
CREATE INDEX settled_deliveries_by_subscription ON settled_deliveries (organization_id, subscription_id, id);
CREATE INDEX settled_deliveries_dead ON settled_deliveries (organization_id, id) WHERE state = 'dead';

-- The queue: pending and delivering only. A row leaves it, into the log, by its settlement.
ALTER TABLE deliveries
    -- event: fan-out; redelivery: one again, by hand; replay: one of a replay job; test: a sample to try the target with.
    ADD COLUMN cause text NOT NULL DEFAULT 'event' CHECK (cause IN ('event', 'redelivery', 'replay', 'test')),
    ADD COLUMN replay_id bigint,
    -- Deliveries of a subscription with the same key go one after the other; those that are not the first wait until infinity.
    ADD COLUMN ordering_key text COLLATE "C",
    ADD COLUMN last_duration_ms integer,
    -- Every attempt: [{"number", "started_at", "duration_ms", "status", "error", "excerpt"}], oldest first.
    ADD COLUMN history jsonb;

UPDATE deliveries SET history = tried.history
FROM (
    SELECT organization_id, delivery_id, jsonb_agg(
        jsonb_build_object(
            'number', number, 'started_at', to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'duration_ms', duration_ms, 'status', status, 'error', error, 'excerpt', excerpt
        ) ORDER BY number
    ) AS history
    FROM attempts GROUP BY organization_id, delivery_id
) AS tried
WHERE deliveries.organization_id = tried.organization_id AND deliveries.id = tried.delivery_id;
DROP TABLE attempts;

WITH done AS (DELETE FROM deliveries WHERE state IN ('succeeded', 'dead') RETURNING *)
INSERT INTO settled_deliveries (organization_id, id, event_id, event_type, subscription_id, cause, replay_id, state, attempts, last_status,
    last_error, last_duration_ms, history, created_at, settled_at)
SELECT organization_id, id, event_id, event_type, subscription_id, cause, replay_id, state, attempts, last_status,
    last_error, last_duration_ms, history, created_at, settled_at FROM done;

DROP INDEX deliveries_dead;
DROP INDEX deliveries_by_subscription;
-- Without the id, which made it as good as the primary key in the eyes of a planner that has no statistics.
DROP INDEX deliveries_by_event;
CREATE INDEX deliveries_by_event ON deliveries (organization_id, event_id);
ALTER TABLE deliveries DROP COLUMN settled_at;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_state_check CHECK (state IN ('pending', 'delivering'));
ALTER TABLE deliveries SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX deliveries_ordered ON deliveries (organization_id, subscription_id, ordering_key, id) WHERE ordering_key IS NOT NULL;

-- Both together, as people read them.
CREATE VIEW delivery_log AS
SELECT organization_id, id, event_id, event_type, subscription_id, cause, replay_id, state, attempts, last_status, last_error,
    last_duration_ms, history, created_at, NULL::timestamptz AS settled_at, next_attempt_at
FROM deliveries
UNION ALL
SELECT organization_id, id, event_id, event_type, subscription_id, cause, replay_id, state, attempts, last_status, last_error,
    last_duration_ms, history, created_at, settled_at, NULL::timestamptz AS next_attempt_at
FROM settled_deliveries;

-- How each subscription's target does. Written only where something is wrong or has just been: a healthy target costs nothing.
CREATE TABLE endpoint_states (
    organization_id bigint NOT NULL,
    subscription_id bigint NOT NULL,
    -- Attempts that it may have under way; NULL for as many as the process allows.
    in_flight_limit integer CHECK (in_flight_limit > 0),
    -- Nothing is sent before.
    not_before timestamptz NOT NULL DEFAULT 'epoch',
    -- Of the last 20 attempts, newest in the lowest bit, those that failed.
    recent_failures integer NOT NULL DEFAULT 0,
    breaker_is_open boolean NOT NULL DEFAULT false,
    -- Times that the breaker opened, and that the target asked for less, since the last success.
    trips integer NOT NULL DEFAULT 0,
    slowdowns integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    last_error text,
    -- Per cent of the way to its being disabled at which members were told.
    told_at_percent integer NOT NULL DEFAULT 0,
    -- Of the rate limit (GCRA): when a target that takes no more than its rate would be done with what it got.
    rate_until timestamptz NOT NULL DEFAULT 'epoch',
    PRIMARY KEY (organization_id, subscription_id)
) WITH (fillfactor = 50);
INSERT INTO endpoint_states (organization_id, subscription_id) SELECT organization_id, id FROM zapier_webhooks WHERE ended_at IS NULL;

-- Makes a partition of a parent for a range of its key, and moves into it what lies in the default partition of that range.
CREATE FUNCTION make_partition(parent text, partition text, key text, first_value text, end_value text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    outside text := parent || '_default';
    columns text;
BEGIN
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', outside);
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', partition, parent);
    -- By name: columns that were added later stand in another order in the partitions that were there before.
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
    FROM pg_attribute WHERE attrelid = parent::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING %s) INSERT INTO %I (%s) SELECT %s FROM moved',
        outside, key, first_value, key, end_value, columns, partition, columns, columns);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, partition, first_value, end_value);
END
$$;
REVOKE ALL ON FUNCTION make_partition(text, text, text, text, text) FROM PUBLIC;

-- Makes the day partitions of both logs from today (UTC) to days_ahead days later that are not there yet, and answers how many it made.
-- The runtime role may not change tables, so it calls this with the owner's rights.
CREATE FUNCTION ensure_partitions(days_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '5s'
AS $$
DECLARE
    day date;
    begins timestamptz;
    ends timestamptz;
    name text;
    made integer := 0;
BEGIN
    IF days_ahead NOT BETWEEN 0 AND 31 THEN
        RAISE EXCEPTION 'days_ahead must be between 0 and 31' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'));
    FOR day IN SELECT (now() AT TIME ZONE 'UTC')::date + ahead FROM generate_series(0, days_ahead) AS ahead LOOP
        name := to_char(day, 'YYYYMMDD');
        begins := day::timestamp AT TIME ZONE 'UTC';
        ends := (day + 1)::timestamp AT TIME ZONE 'UTC';
        IF to_regclass('events_' || name) IS NULL THEN
            PERFORM make_partition('events', 'events_' || name, 'id',
                'evt_' || lpad(to_hex((extract(epoch FROM begins) * 1000)::bigint), 12, '0'),
                'evt_' || lpad(to_hex((extract(epoch FROM ends) * 1000)::bigint), 12, '0'));
            made := made + 1;
        END IF;
        IF to_regclass('settled_deliveries_' || name) IS NULL THEN
            PERFORM make_partition('settled_deliveries', 'settled_deliveries_' || name, 'settled_at', begins::text, ends::text);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;

-- Drops the days of both logs that lie more than days_kept days back, and answers how many partitions went.
CREATE FUNCTION drop_partitions(days_kept integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '5s'
AS $$
DECLARE
    last_day text := to_char((now() AT TIME ZONE 'UTC')::date - days_kept, 'YYYYMMDD');
    partition text;
    dropped integer := 0;
BEGIN
    IF days_kept < 4 THEN
        RAISE EXCEPTION 'days_kept must be at least 4: retries go on for three days' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('drop_partitions'));
    FOR partition IN
        SELECT child.relname
        FROM pg_inherits
        JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent IN ('events'::regclass, 'settled_deliveries'::regclass)
            AND child.relname ~ '^(events|settled_deliveries)_[0-9]{8}$' AND right(child.relname, 8) < last_day
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

REVOKE ALL ON FUNCTION ensure_partitions(integer), drop_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(integer), drop_partitions(integer) TO webhooks;
DROP FUNCTION ensure_event_partitions(integer);

DO $$ BEGIN PERFORM ensure_partitions(7); END $$;
