-- How far each budget of attempts is spent (generic cell rate algorithm): every attempt moves the mark on by the budget's interval, and an
-- attempt is refused that would move it further ahead of now() than the burst allows. A mark in the past is a full budget, as no row is.
-- Keys are HMACs: what people type into the wrong field is not kept.
CREATE TABLE attempt_limits (
    key text PRIMARY KEY,
    spent_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Where a user has signed in from before, as HMAC of the network: strangers cannot use up the attempts that are left to these.
CREATE TABLE known_networks (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    network text NOT NULL,
    signed_in_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, network)
);

CREATE INDEX known_networks_age ON known_networks (signed_in_at);
