-- One sign-in. All tokens of a session are one family: they live and die together.
CREATE TABLE sessions (
    organization_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL,
    address text,
    agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    refreshed_at timestamptz NOT NULL DEFAULT now(),
    -- When its newest refresh token ends.
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, user_id) REFERENCES memberships (organization_id, user_id) ON DELETE CASCADE
);

CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Tokens are kept as SHA-256 only. Their indexes are not unique: a unique one without organization_id could not be distributed by tenant,
-- and two tokens with one digest do not happen.
CREATE TABLE access_tokens (
    organization_id bigint NOT NULL,
    session_id bigint NOT NULL,
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, session_id, token_hash),
    FOREIGN KEY (organization_id, session_id) REFERENCES sessions (organization_id, id) ON DELETE CASCADE
);

CREATE INDEX access_tokens_hash ON access_tokens (token_hash);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

CREATE TABLE refresh_tokens (
    organization_id bigint NOT NULL,
    session_id bigint NOT NULL,
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    expires_at timestamptz NOT NULL,
    -- Set when it was exchanged; shown again after that, it is stolen or copied, and the family ends.
    used_at timestamptz,
    PRIMARY KEY (organization_id, session_id, token_hash),
    FOREIGN KEY (organization_id, session_id) REFERENCES sessions (organization_id, id) ON DELETE CASCADE
);

CREATE INDEX refresh_tokens_hash ON refresh_tokens (token_hash);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);
