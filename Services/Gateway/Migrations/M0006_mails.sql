-- Mail to people on its way out. It belongs to people, who may be members of several organizations or of none yet, so no organization is in its key.
CREATE TABLE mails (
    -- mail_ and a UUIDv7; it stands in the Message-ID, so that a double can be known as one.
    id text PRIMARY KEY,
    -- What it tells, `invitation`.
    kind text NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    -- Sealed, because it holds links that open accounts; gone once the mail is settled.
    body bytea,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed')),
    -- Why it failed, or what kept the last try from succeeding.
    reason text,
    attempts integer NOT NULL DEFAULT 0,
    -- Nobody claims it before this: a claim moves it behind its lease, a failure behind its pause.
    not_before timestamptz NOT NULL DEFAULT now(),
    fence bigint NOT NULL DEFAULT 0,
    -- Afterwards it is of no use to its reader and is given up.
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    CHECK ((state = 'pending') = (body IS NOT NULL))
);

CREATE INDEX mails_pending ON mails (not_before) WHERE state = 'pending';
CREATE INDEX mails_settled ON mails (settled_at) WHERE state <> 'pending';
