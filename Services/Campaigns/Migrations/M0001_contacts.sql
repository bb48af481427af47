-- Contacts, one per source record, and how far each organization's change feed has been applied.
CREATE TABLE contacts (
    organization_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    integration_id BIGINT NOT NULL,
    record_id BIGINT NOT NULL,
    external_id TEXT NOT NULL,
    -- As it is written to: trimmed, domain in lower case.
    email TEXT,
    -- The mailbox that two contacts may share; NULL where email is missing or cannot be written to.
    email_key TEXT,
    phone TEXT,
    first_name TEXT,
    last_name TEXT,
    company TEXT,
    job_title TEXT,
    source_updated_at TIMESTAMPTZ,
    is_deleted BOOLEAN NOT NULL DEFAULT false,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    CONSTRAINT contacts_source UNIQUE (organization_id, integration_id, record_id)
);

CREATE INDEX contacts_email ON contacts (organization_id, email_key, id) WHERE NOT is_deleted;

CREATE TABLE feed_cursors (
    organization_id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
