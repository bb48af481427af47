-- What was read from providers, in one shape, beside the provider's own words.
CREATE TABLE records (
    organization_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    integration_id bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('contact')),
    external_id text NOT NULL,
    email text,
    phone text,
    first_name text,
    last_name text,
    company text,
    job_title text,
    provider_updated_at timestamptz,
    raw jsonb NOT NULL,
    payload_hash bytea NOT NULL,
    deleted boolean NOT NULL DEFAULT FALSE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, integration_id, kind, external_id)
);

-- The newest position of each organization's feed. Writers lock the row until they commit: positions become visible in order.
CREATE TABLE change_heads (
    organization_id bigint PRIMARY KEY,
    position bigint NOT NULL
);

CREATE TABLE changes (
    organization_id bigint NOT NULL,
    position bigint NOT NULL,
    record_id bigint NOT NULL,
    integration_id bigint NOT NULL,
    kind text NOT NULL,
    operation text NOT NULL CHECK (operation IN ('upsert', 'delete')),
    -- The record as it was then; NULL for a delete.
    contact jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, position)
);
