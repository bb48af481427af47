#!/bin/bash
# Runs a command beside a fresh private Postgres cluster that it finds in TEST_DATABASE_URL (the administrator's), then removes it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d /var/tmp/switchboard-test-XXXXXX)
chmod 755 "$dir"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
trap '"$here/postgres.sh" stop "$dir" immediate; rm -rf "$dir"' EXIT
"$here/postgres.sh" start "$dir" "$port"
psql -q -h 127.0.0.1 -p "$port" -U postgres -d postgres -f "$here/../postgres/roles.sql" $(
    for role in gateway integrations campaigns webhooks; do echo "-v ${role}_password=test -v ${role}_owner_password=test"; done
)
export TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$port/postgres"
"$@"
