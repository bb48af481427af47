-- What members are told of: their feed. Repeats of one trouble within a day are counted in one row.
CREATE TABLE notices (
    organization_id bigint NOT NULL REFERENCES organizations ON DELETE CASCADE,
    -- ntc_ and a UUIDv7, of the first: the feed's order.
    id text NOT NULL COLLATE "C",
    kind text NOT NULL,
    service text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    subject_name text NOT NULL,
    -- Of the latest.
    title text NOT NULL,
    detail text NOT NULL,
    -- The trouble.
    key text NOT NULL,
    occurrences integer NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    -- Mail went out, to whoever wanted it.
    is_mailed boolean NOT NULL,
    PRIMARY KEY (organization_id, id)
);

CREATE INDEX notices_key ON notices (organization_id, key, id);
CREATE INDEX notices_kind ON notices (organization_id, kind, first_at);
CREATE INDEX notices_age ON notices (last_at);

-- Ids that were taken, folded ones too: the relay may bring them again.
CREATE TABLE notice_receipts (
    organization_id bigint NOT NULL REFERENCES organizations ON DELETE CASCADE,
    id text NOT NULL COLLATE "C",
    taken_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);

CREATE INDEX notice_receipts_age ON notice_receipts (taken_at);

-- What a member has read: so many occurrences. One more, and the notice is unread again.
CREATE TABLE notice_reads (
    organization_id bigint NOT NULL,
    user_id bigint NOT NULL,
    notice_id text NOT NULL COLLATE "C",
    occurrences integer NOT NULL,
    read_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, user_id, notice_id),
    FOREIGN KEY (organization_id, user_id) REFERENCES memberships ON DELETE CASCADE,
    FOREIGN KEY (organization_id, notice_id) REFERENCES notices ON DELETE CASCADE
);

CREATE INDEX notice_reads_notice ON notice_reads (organization_id, notice_id);

-- What a member chose; without a row a kind comes by mail.
CREATE TABLE notice_settings (
    organization_id bigint NOT NULL,
    user_id bigint NOT NULL,
    kind text NOT NULL,
    mail boolean NOT NULL,
    PRIMARY KEY (organization_id, user_id, kind),
    FOREIGN KEY (organization_id, user_id) REFERENCES memberships ON DELETE CASCADE
);

-- Mail to somebody as a member: it goes with the membership, sent or not.
ALTER TABLE mails
    ADD COLUMN organization_id bigint,
    ADD COLUMN user_id bigint,
    ADD FOREIGN KEY (organization_id, user_id) REFERENCES memberships ON DELETE CASCADE,
    ADD CHECK ((organization_id IS NULL) = (user_id IS NULL));

CREATE INDEX mails_membership ON mails (organization_id, user_id) WHERE organization_id IS NOT NULL;
