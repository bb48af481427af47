-- The gateway processes that are alive: each writes its row a few times a second.
CREATE TABLE gateway_replicas (
    id text PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
