CREATE TABLE invitations (
    organization_id bigint NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id bigint GENERATED ALWAYS AS IDENTITY,
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    invited_by bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (organization_id, id)
);

-- Not unique for the reason given at access_tokens.
CREATE INDEX invitations_token ON invitations (token_hash);
-- One open invitation an address.
CREATE UNIQUE INDEX invitations_open ON invitations (organization_id, lower(email)) WHERE accepted_at IS NULL AND revoked_at IS NULL;
