-- Outcomes find their messages by send key. With the organization first, each index of the table begins alike, and the planner may take another
-- where statistics know nothing of the organization's messages yet.
ALTER TABLE messages DROP CONSTRAINT messages_send_key, ADD CONSTRAINT messages_send_key UNIQUE (send_key, organization_id);
