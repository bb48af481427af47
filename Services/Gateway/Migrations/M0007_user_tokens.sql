ALTER TABLE users ADD COLUMN email_verified_at timestamptz;

-- Mailed tokens of users. A token is used by deleting its row: that decides between two who show it at once.
CREATE TABLE user_tokens (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
    -- The address that it was mailed to: it proves that one and no later one.
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX user_tokens_user ON user_tokens (user_id);
CREATE INDEX user_tokens_expiry ON user_tokens (expires_at);
