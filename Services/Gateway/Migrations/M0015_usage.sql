-- Requests of an hour, and of a day, added up by key, route and status. Written in the transaction of the log rows that they count.
CREATE TABLE usage_sums (
    -- 0 for requests whose organization is not known: these are counted only.
    organization_id bigint NOT NULL,
    -- Long stretches are read from days: an hour's sum is in its day's too.
    grain text NOT NULL CHECK (grain IN ('hour', 'day')),
    -- When the hour or day (UTC) begins.
    start timestamptz NOT NULL,
    -- 0 for members.
    key_id bigint NOT NULL,
    -- Method and template of the catalogue, or `unmatched`.
    route text NOT NULL,
    status smallint NOT NULL,
    requests bigint NOT NULL,
    request_bytes bigint NOT NULL,
    response_bytes bigint NOT NULL,
    duration_us bigint NOT NULL,
    -- How many requests took how long, on the gateway's fixed scale; adds up element by element.
    latency bigint[] NOT NULL CHECK (cardinality(latency) = 82),
    PRIMARY KEY (organization_id, grain, start, key_id, route, status)
) WITH (fillfactor = 70);

-- Retention looks for old sums of all organizations.
CREATE INDEX usage_sums_start ON usage_sums (start);

-- The sum of two histograms of one scale.
CREATE FUNCTION add_buckets(first bigint[], second bigint[]) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
    FOR bucket IN 1..cardinality(second) LOOP
        IF second[bucket] <> 0 THEN first[bucket] := first[bucket] + second[bucket]; END IF;
    END LOOP;
    RETURN first;
END
$$;

CREATE AGGREGATE sum_buckets(bigint[]) (SFUNC = add_buckets, STYPE = bigint[]);

GRANT EXECUTE ON FUNCTION add_buckets(bigint[], bigint[]), sum_buckets(bigint[]) TO gateway;
