-- An organization's connection to a provider. A deleted one keeps its row, without configuration and credentials, because records, runs and
-- sent messages go on pointing to it.
CREATE TABLE integrations (
    organization_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    provider text NOT NULL,
    name text NOT NULL,
    config jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'paused', 'needs_attention')),
    status_reason text,
    -- Seconds between syncs; NULL where the provider has nothing to sync.
    sync_interval integer CHECK (sync_interval > 0),
    next_sync_at timestamptz,
    last_synced_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX integrations_due ON integrations (next_sync_at) WHERE status = 'enabled' AND deleted_at IS NULL;

-- One secret field of an integration's configuration, sealed to its organization, integration and name.
CREATE TABLE credentials (
    organization_id bigint NOT NULL,
    integration_id bigint NOT NULL,
    field text NOT NULL,
    envelope bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, integration_id, field),
    FOREIGN KEY (organization_id, integration_id) REFERENCES integrations (organization_id, id) ON DELETE CASCADE
);
