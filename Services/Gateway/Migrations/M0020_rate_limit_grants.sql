-- One row a counted subject and policy: units of its present window that were granted to the gateway's replicas. It begins anew with each window,
-- so that nothing has to be swept but what is no longer used. Windows of the former table are not carried over: they were hours at most.
DROP TABLE rate_limit_windows;

CREATE TABLE rate_limit_windows (
    -- 0 for what belongs to no organization: addresses.
    organization_id bigint NOT NULL,
    -- key:12, organization, member:7, address:c0000201
    subject text NOT NULL,
    policy text NOT NULL,
    window_seconds integer NOT NULL CHECK (window_seconds > 0),
    window_start timestamptz NOT NULL,
    -- The limit that the last question named.
    quota bigint NOT NULL,
    used bigint NOT NULL CHECK (used >= 0),
    -- Units that the last question was given.
    granted bigint NOT NULL,
    PRIMARY KEY (organization_id, subject, policy)
) WITH (fillfactor = 50);
