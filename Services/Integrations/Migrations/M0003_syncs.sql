-- Where the next page of a sync begins; saved in the transaction of the page before it.
CREATE TABLE sync_cursors (
    organization_id bigint NOT NULL,
    integration_id bigint NOT NULL,
    kind text NOT NULL,
    cursor jsonb NOT NULL,
    -- A full pass has come to its end: what follows reads changes only.
    is_complete boolean NOT NULL DEFAULT FALSE,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, integration_id, kind)
);

CREATE TABLE sync_runs (
    organization_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    integration_id bigint NOT NULL,
    kind text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('full', 'incremental')),
    cause text NOT NULL CHECK (cause IN ('connected', 'schedule', 'request')),
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')),
    -- When a worker may claim it: the not-before time while it is queued or waiting, the end of the lease while it is running.
    claimable_at timestamptz NOT NULL DEFAULT now(),
    wait_reason text,
    owner text,
    fence bigint NOT NULL DEFAULT 0,
    -- Failed tries since the last page that went well.
    failures integer NOT NULL DEFAULT 0,
    pages integer NOT NULL DEFAULT 0,
    fetched bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (organization_id, id)
);
CREATE UNIQUE INDEX sync_runs_one_open ON sync_runs (organization_id, integration_id, kind)
    WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX sync_runs_claimable ON sync_runs (claimable_at) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX sync_runs_of_integration ON sync_runs (organization_id, integration_id, id DESC);
