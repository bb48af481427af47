-- What every service keeps besides its own tables: facts on their way to other services, and answers under an Idempotency-Key.

CREATE TABLE outbox (
    organization_id bigint NOT NULL,
    -- evt_ or aud_ and a UUIDv7: grows with time, and stays the id by which the receiver knows a repeat.
    id text NOT NULL,
    destination text NOT NULL CHECK (destination IN ('webhooks', 'gateway')),
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    -- Nobody claims the entry before this: a claim moves it behind its lease, a failure behind its pause.
    not_before timestamptz NOT NULL DEFAULT now(),
    fence bigint NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'refused')),
    -- Why the receiver refused it for good.
    reason text,
    PRIMARY KEY (organization_id, id)
);

CREATE INDEX outbox_pending ON outbox (destination, id) WHERE state = 'pending';
CREATE INDEX outbox_refused ON outbox (created_at) WHERE state = 'refused';

CREATE TABLE idempotency_keys (
    organization_id bigint NOT NULL,
    -- user:12 or key:7.
    caller text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    -- SHA-256 of method, path and body.
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    -- The answer's body, sealed: it may hold what is shown only once.
    answer bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, caller, route, key)
);

CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
