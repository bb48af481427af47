-- One row per campaign and contact: the whole truth that this service has about a message.
CREATE TABLE messages (
    organization_id BIGINT NOT NULL,
    campaign_id BIGINT NOT NULL,
    contact_id BIGINT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT,
    -- NULL for what is skipped, so that it never takes the mailbox from a message that is sent.
    address_key TEXT,
    send_key TEXT NOT NULL,
    attempt_group INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL
        CHECK (state IN ('pending', 'claimed', 'accepted', 'failed', 'in_doubt', 'skipped', 'cancelled')),
    not_before TIMESTAMPTZ NOT NULL DEFAULT now(),
    fence BIGINT NOT NULL DEFAULT 0,
    lease_until TIMESTAMPTZ,
    -- A claim ended without an outcome: integrations may have sent it all the same.
    unanswered BOOLEAN NOT NULL DEFAULT false,
    -- Tries that integrations answered with not_sent.
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    detail TEXT,
    provider_message_id TEXT,
    in_doubt_at TIMESTAMPTZ,
    -- Questions asked about a message in doubt, and when the next one is due; NULL when no more are asked.
    checks INTEGER NOT NULL DEFAULT 0,
    next_check_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, campaign_id, contact_id),
    FOREIGN KEY (organization_id, campaign_id) REFERENCES campaigns (organization_id, id),
    CONSTRAINT messages_address UNIQUE (organization_id, campaign_id, channel, address_key),
    CONSTRAINT messages_send_key UNIQUE (organization_id, send_key),
    CHECK ((state = 'claimed') = (lease_until IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- What can be claimed, in the order of claiming: its size is that of the work left, not of the table.
CREATE INDEX messages_due ON messages (organization_id, campaign_id, not_before, contact_id) WHERE state = 'pending';
CREATE INDEX messages_leases ON messages (organization_id, campaign_id, lease_until) WHERE state = 'claimed';
CREATE INDEX messages_doubts ON messages (next_check_at) WHERE state = 'in_doubt';
-- Counts, lists by state, and whether anything is left.
CREATE INDEX messages_state ON messages (organization_id, campaign_id, state, contact_id);

-- The key of one attempt group of one message. It follows from the row alone, so that SQL makes it in bulk and Swift can make it again
-- (SendKey.swift, a test holds the two together).
CREATE FUNCTION send_key(salt UUID, organization BIGINT, campaign BIGINT, contact BIGINT, attempt_group INTEGER) RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN left(encode(sha256(
    ('send.v1:' || salt || ':' || organization || ':' || campaign || ':' || contact || ':' || attempt_group)::bytea
), 'hex'), 40);

GRANT EXECUTE ON FUNCTION send_key(UUID, BIGINT, BIGINT, BIGINT, INTEGER) TO campaigns;
