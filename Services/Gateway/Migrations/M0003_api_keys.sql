CREATE TABLE api_keys (
    organization_id bigint NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    -- The first characters of the key, for people to tell keys apart.
    prefix text NOT NULL,
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    -- The member on whose behalf the key acts; it never does more than this member may at that moment.
    created_by bigint NOT NULL REFERENCES users,
    -- The key that made this one; it is revoked with it.
    parent_id bigint,
    role text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    -- Requests an hour; NULL for the tier's limit, which it can only lower.
    rate_limit bigint CHECK (rate_limit > 0),
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, parent_id) REFERENCES api_keys (organization_id, id)
);

-- Not unique for the reason given at access_tokens.
CREATE INDEX api_keys_hash ON api_keys (key_hash);
CREATE INDEX api_keys_parent ON api_keys (organization_id, parent_id) WHERE parent_id IS NOT NULL;
