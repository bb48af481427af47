-- Every API request of a known organization: no query, no body, no credential. Partitions are days (UTC); retention drops whole ones.
-- What lies outside the days made so far is kept in request_logs_default.
DO $$ BEGIN PERFORM set_config('search_path', format('%I, pg_temp', current_schema()), true); END $$;

-- Tells rows of one microsecond apart.
CREATE SEQUENCE request_log_ids;

CREATE TABLE request_logs (
    organization_id bigint NOT NULL,
    -- When the answer ended, by the gateway's clock.
    time timestamptz NOT NULL,
    id bigint NOT NULL DEFAULT nextval('request_log_ids'),
    actor_kind text NOT NULL CHECK (actor_kind IN ('user', 'key')),
    actor_id bigint NOT NULL,
    method text NOT NULL,
    -- As in the catalogue: /api/v1/campaigns/{id}.
    route text NOT NULL,
    status smallint NOT NULL,
    duration_us bigint NOT NULL,
    -- As the client announced; NULL where it did not.
    request_bytes bigint,
    response_bytes bigint NOT NULL,
    address text,
    agent text,
    request_id text NOT NULL,
    PRIMARY KEY (organization_id, time, id)
) PARTITION BY RANGE (time);

CREATE TABLE request_logs_default PARTITION OF request_logs DEFAULT;

-- What happened stays as it was written; rows go with their day, or with their organization.
REVOKE UPDATE ON request_logs FROM gateway;
REVOKE ALL ON request_logs_default FROM gateway;

-- Makes the partitions from today (UTC) to days_ahead days later that are not there yet, and answers how many it made. The runtime role
-- may not change tables, so it calls this with the owner's rights.
CREATE FUNCTION ensure_request_log_partitions(days_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '5s' SET timezone = 'UTC'
AS $$
DECLARE
    day date;
    partition text;
    made integer := 0;
BEGIN
    IF days_ahead IS NULL OR days_ahead NOT BETWEEN 0 AND 31 THEN
        RAISE EXCEPTION 'days_ahead must be between 0 and 31' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('request_log_partitions'));
    FOR day IN SELECT (now() AT TIME ZONE 'UTC')::date + ahead FROM generate_series(0, days_ahead) AS ahead LOOP
        partition := 'request_logs_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(quote_ident(partition)) IS NOT NULL;
        -- Rows of that day that came before its partition move into it.
        LOCK TABLE request_logs_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE %I (LIKE request_logs INCLUDING ALL)', partition);
        EXECUTE format('REVOKE ALL ON %I FROM gateway', partition);
        EXECUTE format(
            'WITH moved AS (DELETE FROM request_logs_default WHERE time >= %L AND time < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
            day::timestamptz, (day + 1)::timestamptz, partition);
        EXECUTE format(
            'ALTER TABLE request_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            partition, day::timestamptz, (day + 1)::timestamptz);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Drops the days that lie more than days_kept days back, and answers how many it dropped. Today and yesterday always stay.
CREATE FUNCTION drop_request_log_partitions(days_kept integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '5s' SET timezone = 'UTC'
AS $$
DECLARE
    first_kept date := (now() AT TIME ZONE 'UTC')::date - days_kept;
    partition regclass;
    dropped integer := 0;
BEGIN
    IF days_kept IS NULL OR days_kept NOT BETWEEN 1 AND 3650 THEN
        RAISE EXCEPTION 'days_kept must be between 1 and 3650' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('request_log_partitions'));
    FOR partition IN
        SELECT child.oid FROM pg_inherits JOIN pg_class child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = 'request_logs'::regclass AND child.relname ~ '^request_logs_[0-9]{8}$'
            AND to_date(right(child.relname, 8), 'YYYYMMDD') < first_kept
    LOOP
        EXECUTE format('DROP TABLE %s', partition);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM request_logs_default WHERE time < first_kept::timestamptz;
    RETURN dropped;
END
$$;

REVOKE ALL ON FUNCTION ensure_request_log_partitions(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION drop_request_log_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_request_log_partitions(integer) TO gateway;
GRANT EXECUTE ON FUNCTION drop_request_log_partitions(integer) TO gateway;

DO $$ BEGIN PERFORM ensure_request_log_partitions(2); END $$;
