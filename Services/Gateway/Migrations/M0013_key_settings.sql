-- From where a key may be used (networks in CIDR form; none: from anywhere), and from where it was used last.
ALTER TABLE api_keys
    ADD COLUMN allowed_cidrs text[] NOT NULL DEFAULT '{}',
    ADD COLUMN last_used_address text,
    ADD COLUMN last_used_agent text;

-- Strings that a key had before it was rotated, while their grace lasts. The present one stays in api_keys.
CREATE TABLE retired_key_secrets (
    organization_id bigint NOT NULL,
    key_id bigint NOT NULL,
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    prefix text NOT NULL,
    retired_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, key_id, key_hash),
    FOREIGN KEY (organization_id, key_id) REFERENCES api_keys (organization_id, id) ON DELETE CASCADE
);

-- Not unique for the reason given at access_tokens.
CREATE INDEX retired_key_secrets_hash ON retired_key_secrets (key_hash);
CREATE INDEX retired_key_secrets_expiry ON retired_key_secrets (expires_at);

-- How many keys an organization has that still live is counted whenever one is made.
CREATE INDEX api_keys_live ON api_keys (organization_id) WHERE revoked_at IS NULL;
