-- Two roles a service, once per cluster: X_owner migrates, X reads and writes. Passwords come from psql variables.
\set ON_ERROR_STOP on
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', name, password)
FROM (VALUES
    ('gateway_owner', :'gateway_owner_password'), ('gateway', :'gateway_password'),
    ('integrations_owner', :'integrations_owner_password'), ('integrations', :'integrations_password'),
    ('campaigns_owner', :'campaigns_owner_password'), ('campaigns', :'campaigns_password'),
    ('webhooks_owner', :'webhooks_owner_password'), ('webhooks', :'webhooks_password')
) AS wanted(name, password)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name)
\gexec
