CREATE TABLE campaigns (
    organization_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('email')),
    integration_id BIGINT NOT NULL,
    from_email TEXT NOT NULL,
    from_name TEXT,
    reply_to TEXT,
    subject TEXT NOT NULL,
    html TEXT,
    text TEXT,
    audience JSONB NOT NULL,
    in_doubt_policy TEXT NOT NULL CHECK (in_doubt_policy IN ('hold', 'resend')),
    status TEXT NOT NULL DEFAULT 'draft'
        CHECK (status IN ('draft', 'scheduled', 'preparing', 'sending', 'paused', 'sent', 'cancelled')),
    status_reason TEXT,
    scheduled_at TIMESTAMPTZ,
    -- Makes send keys of equal ids in two installations differ.
    send_salt UUID NOT NULL DEFAULT gen_random_uuid(),
    -- The last contact that the expansion has passed; moved with the messages of its chunk.
    expansion_cursor BIGINT NOT NULL DEFAULT 0,
    expanded_at TIMESTAMPTZ,
    -- Of the expander that has the campaign in hand.
    fence BIGINT NOT NULL DEFAULT 0,
    lease_until TIMESTAMPTZ,
    -- When a batch of it was last claimed: the one that waited longest is next.
    turn_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- Batches that integrations refused in a row, and until when none is claimed because of it.
    refusals INTEGER NOT NULL DEFAULT 0,
    hold_until TIMESTAMPTZ,
    started_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ,
    -- When a cancelled campaign was found to have nothing pending or claimed left.
    swept_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    CHECK (html IS NOT NULL OR text IS NOT NULL),
    CHECK (status <> 'scheduled' OR scheduled_at IS NOT NULL)
);

CREATE INDEX campaigns_scheduled ON campaigns (scheduled_at) WHERE status = 'scheduled';
CREATE INDEX campaigns_preparing ON campaigns (updated_at) WHERE status = 'preparing';
CREATE INDEX campaigns_sending ON campaigns (organization_id, id) WHERE status = 'sending';
CREATE INDEX campaigns_unswept ON campaigns (organization_id, id) WHERE status = 'cancelled' AND swept_at IS NULL;
