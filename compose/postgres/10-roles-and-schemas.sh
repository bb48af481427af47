#!/bin/bash
# Runs at the database's first start: two roles a service with a password each, one schema a service.
set -euo pipefail
here=/switchboard
names=()
for service in gateway integrations campaigns webhooks; do
    for role in "$service" "${service}_owner"; do
        variable="POSTGRES_${role^^}_PASSWORD"
        : "${!variable:?set $variable}"
        names+=(-v "${role}_password=${!variable}")
    done
done
psql -X -q -U "${POSTGRES_USER:-postgres}" -d "${POSTGRES_DB:-postgres}" "${names[@]}" -f "$here/roles.sql"
psql -X -q -U "${POSTGRES_USER:-postgres}" -d "${POSTGRES_DB:-postgres}" -f "$here/schemas.sql"
