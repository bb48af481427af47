-- Sending again what lies in the log: one row a job, which goes through the events of a range page by page.
DO $$ BEGIN PERFORM set_config('search_path', format('%I, pg_temp', current_schema()), true); END $$;

CREATE TABLE replays (
    organization_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    subscription_id bigint NOT NULL,
    -- Events that happened from the first to before the last; ids begin with their time.
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL,
    -- undelivered: without a success, and not in the queue; all: every one.
    which text NOT NULL CHECK (which IN ('undelivered', 'all')),
    filter json,
    -- Deliveries made a second.
    rate integer NOT NULL CHECK (rate > 0),
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'finished', 'cancelled', 'stopped')),
    -- Of stopped: why.
    reason text,
    -- The last event looked at; written with the deliveries made of the page, so that nothing is made twice.
    cursor text COLLATE "C" NOT NULL,
    end_id text COLLATE "C" NOT NULL,
    -- Events that came in later are not part of it.
    end_position bigint NOT NULL,
    -- Events in the range when it began, as far as they were counted.
    total integer NOT NULL,
    looked_at integer NOT NULL DEFAULT 0,
    made integer NOT NULL DEFAULT 0,
    next_step_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (organization_id, id),
    CHECK ((state IN ('finished', 'cancelled', 'stopped')) = (finished_at IS NOT NULL))
);
CREATE INDEX replays_running ON replays (next_step_at) WHERE state = 'running';

CREATE INDEX deliveries_by_replay ON deliveries (organization_id, replay_id) WHERE replay_id IS NOT NULL;
CREATE INDEX settled_deliveries_by_replay ON settled_deliveries (organization_id, replay_id) WHERE replay_id IS NOT NULL;
