-- What a subscription may ask for besides its events.
DO $$ BEGIN PERFORM set_config('search_path', format('%I, pg_temp', current_schema()), true); END $$;

ALTER TABLE zapier_webhooks
    -- Raised by each change: what processes keep of a subscription is kept under it.
    ADD COLUMN revision bigint NOT NULL DEFAULT 1,
    -- Which of its events it gets; NULL for all of them.
    ADD COLUMN filter json,
    -- What is posted instead of the event.
    ADD COLUMN payload_template json,
    -- Names of the custom headers, for people; names and values are sealed in headers.
    ADD COLUMN header_names text[] NOT NULL DEFAULT '{}',
    ADD COLUMN headers bytea,
    -- Path in the event: what has the same value there is delivered one after the other.
    ADD COLUMN ordering_key text,
    -- Deliveries a second.
    ADD COLUMN rate_limit integer CHECK (rate_limit > 0),
    ADD COLUMN timeout_seconds double precision CHECK (timeout_seconds > 0),
    -- Seconds before each attempt; NULL for the operator's schedule.
    ADD COLUMN retry_waits double precision[] CHECK (cardinality(retry_waits) > 0),
    ADD COLUMN signatures text[] NOT NULL DEFAULT '{v1}' CHECK (signatures <@ '{v1,v1a}' AND cardinality(signatures) > 0),
    -- The secret before the last rotation, sealed; it signs as well until then.
    ADD COLUMN previous_secret bytea,
    ADD COLUMN previous_secret_until timestamptz,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN paused_at timestamptz,
    -- The house stopped it: nothing is queued for it until a member enables it again.
    ADD COLUMN disabled_at timestamptz,
    ADD COLUMN disabled_reason text CHECK ((disabled_reason IS NULL) = (disabled_at IS NULL));

DROP INDEX zapier_webhooks_unswept;
CREATE INDEX zapier_webhooks_unswept ON zapier_webhooks (organization_id, id)
WHERE (ended_at IS NOT NULL OR disabled_at IS NOT NULL) AND swept_at IS NULL;
