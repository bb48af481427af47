-- The event log. An id is evt_ and a UUIDv7 in hexadecimal, so a range of ids is a range of time: partitions are days (UTC), and retention
-- drops whole ones. What is older or newer than the days made so far, or has no well-formed id, lies in events_default.
DO $$ BEGIN PERFORM set_config('search_path', format('%I, pg_temp', current_schema()), true); END $$;

CREATE TABLE events (
    organization_id bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- json, not jsonb: kept as it came (jsonb refuses \u0000, and an event must never be refused).
    data json NOT NULL,
    -- Why the event is kept back from subscribers; NULL for the others.
    quarantine text,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
) PARTITION BY RANGE (id);

CREATE TABLE events_default PARTITION OF events DEFAULT;

CREATE INDEX events_quarantined ON events (received_at) WHERE quarantine IS NOT NULL;

-- Makes the partitions from today (UTC) to days_ahead days later that are not there yet, and answers how many it made. The runtime role
-- may not change tables, so it calls this with the owner's rights.
CREATE FUNCTION ensure_event_partitions(days_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '5s'
AS $$
DECLARE
    day date;
    partition text;
    first_id text;
    end_id text;
    made integer := 0;
BEGIN
    IF days_ahead NOT BETWEEN 0 AND 31 THEN
        RAISE EXCEPTION 'days_ahead must be between 0 and 31' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ensure_event_partitions'));
    FOR day IN SELECT (now() AT TIME ZONE 'UTC')::date + ahead FROM generate_series(0, days_ahead) AS ahead LOOP
        partition := 'events_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(quote_ident(partition)) IS NOT NULL;
        first_id := 'evt_' || lpad(to_hex((extract(epoch FROM day::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0');
        end_id := 'evt_' || lpad(to_hex((extract(epoch FROM (day + 1)::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0');
        -- Events of that day that came before its partition move into it.
        LOCK TABLE events_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING ALL)', partition);
        EXECUTE format(
            'WITH moved AS (
                DELETE FROM events_default WHERE id >= %L AND id < %L
                RETURNING organization_id, id, type, occurred_at, data, quarantine, received_at
            )
            INSERT INTO %I (organization_id, id, type, occurred_at, data, quarantine, received_at)
            SELECT organization_id, id, type, occurred_at, data, quarantine, received_at FROM moved',
            first_id, end_id, partition);
        EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, first_id, end_id);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

REVOKE ALL ON FUNCTION ensure_event_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_event_partitions(integer) TO webhooks;

DO $$ BEGIN PERFORM ensure_event_partitions(7); END $$;
