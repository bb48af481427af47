-- One schema a service, once per database: nobody but its two roles can enter it, and only its owner can change its tables.
\set ON_ERROR_STOP on
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database())
\gexec
SELECT statement
FROM unnest(ARRAY['gateway', 'integrations', 'campaigns', 'webhooks']) WITH ORDINALITY AS service(name, position),
LATERAL unnest(ARRAY[
    format('GRANT CONNECT ON DATABASE %I TO %I, %I', current_database(), name, name || '_owner'),
    format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', name, name || '_owner'),
    format('GRANT USAGE ON SCHEMA %I TO %I', name, name),
    format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', name || '_owner', name, name),
    format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO %I', name || '_owner', name, name),
    format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', name || '_owner')
]) WITH ORDINALITY AS step(statement, number)
ORDER BY position, number
\gexec
