-- One authenticator a user (RFC 6238).
CREATE TABLE second_factors (
    user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    -- Sealed.
    secret bytea NOT NULL,
    -- NULL until a first code has shown that the authenticator works: till then nothing asks for it.
    confirmed_at timestamptz,
    -- The newest time step whose code was used: each works once.
    last_step bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- For the day when the authenticator is lost. Used by deleting the row.
CREATE TABLE recovery_codes (
    user_id bigint NOT NULL REFERENCES second_factors ON DELETE CASCADE,
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    PRIMARY KEY (user_id, code_hash)
);
