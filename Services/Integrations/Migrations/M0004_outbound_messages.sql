-- The truth about every send key. queued -> begun -> accepted | rejected | not_sent | in_doubt; a queued row whose lease has ended and a
-- not_sent row may be claimed anew (the fence rises); a begun row never is: when its lease ends it is in_doubt.
CREATE TABLE outbound_messages (
    organization_id bigint NOT NULL,
    send_key text NOT NULL,
    integration_id bigint NOT NULL,
    provider text NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'begun', 'accepted', 'rejected', 'not_sent', 'in_doubt')),
    owner text,
    fence bigint NOT NULL,
    lease_until timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    begun_at timestamptz,
    settled_at timestamptz,
    provider_message_id text,
    reason text,
    detail text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, send_key)
) WITH (fillfactor = 70);
CREATE INDEX outbound_messages_begun ON outbound_messages (lease_until) WHERE state = 'begun';
