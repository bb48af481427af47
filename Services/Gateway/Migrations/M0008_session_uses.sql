ALTER TABLE sessions ADD COLUMN last_used_at timestamptz;

-- A user's sessions over all organizations.
CREATE INDEX sessions_user ON sessions (user_id, id);
