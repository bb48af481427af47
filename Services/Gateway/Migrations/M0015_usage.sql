-- Requests of an hour, added up by key, route and class of status. Written in the transaction of the log rows that they count.
CREATE TABLE usage_hours (
    -- 0 for requests whose organization is not known: these are counted only.
    organization_id bigint NOT NULL,
    hour timestamptz NOT NULL,
    -- 0 for members.
    key_id bigint NOT NULL,
    -- Method and template of the catalogue, or `unmatched`.
    route text NOT NULL,
    -- 2 for 200 to 299.
    status_class smallint NOT NULL,
    requests bigint NOT NULL,
    request_bytes bigint NOT NULL,
    response_bytes bigint NOT NULL,
    duration_us bigint NOT NULL,
    -- How many requests took how long, on the gateway's fixed scale; adds up element by element.
    latency bigint[] NOT NULL,
    PRIMARY KEY (organization_id, hour, key_id, route, status_class)
) WITH (fillfactor = 70);

-- Retention looks for hours of all organizations.
CREATE INDEX usage_hours_hour ON usage_hours (hour);

-- The sum of two histograms of one scale.
CREATE FUNCTION add_buckets(bigint[], bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT array_agg(COALESCE(first, 0) + COALESCE(second, 0) ORDER BY position)
    FROM unnest($1, $2) WITH ORDINALITY AS pair (first, second, position)
$$;

CREATE AGGREGATE sum_buckets(bigint[]) (SFUNC = add_buckets, STYPE = bigint[]);

GRANT EXECUTE ON FUNCTION add_buckets(bigint[], bigint[]), sum_buckets(bigint[]) TO gateway;
