-- Thresholds of hourly limits that were crossed, once each in a window: written by the statement that granted the unit which crossed it, told to
-- members and webhooks right after.
CREATE TABLE quota_crossings (
    organization_id bigint NOT NULL,
    -- As in rate_limit_windows.
    subject text NOT NULL,
    policy text NOT NULL,
    window_start timestamptz NOT NULL,
    -- Percent of the quota.
    threshold integer NOT NULL CHECK (threshold IN (80, 100)),
    quota bigint NOT NULL,
    used bigint NOT NULL,
    crossed_at timestamptz NOT NULL DEFAULT now(),
    told_at timestamptz,
    PRIMARY KEY (organization_id, subject, policy, window_start, threshold)
);

CREATE INDEX quota_crossings_due ON quota_crossings (crossed_at) WHERE told_at IS NULL;
CREATE INDEX quota_crossings_age ON quota_crossings (window_start);
