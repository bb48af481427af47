#!/bin/bash
# Runs a command beside a fresh private Postgres cluster that it finds in TEST_DATABASE_URL (the administrator's), then removes it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# In memory where there is room: the tests make and drop hundreds of small databases, which costs a disk's file system more than it costs
# Postgres. What must outlive a crash is shown by clusters of the tests' own, on disk (PrivateCluster, ScratchStack).
place=/var/tmp
room=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)
[ "${room:-0}" -gt $((6 << 20)) ] && [ -w /dev/shm ] && place=/dev/shm
dir=$(mktemp -d "$place/switchboard-test-XXXXXX")
chmod 755 "$dir"
# A free port below the range that the kernel hands out by itself.
for _ in $(seq 100); do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
done
trap '"$here/postgres.sh" stop "$dir" immediate; rm -rf "$dir"' EXIT
"$here/postgres.sh" start "$dir" "$port"
psql -q -h 127.0.0.1 -p "$port" -U postgres -d postgres -f "$here/../postgres/roles.sql" $(
    for role in gateway integrations campaigns webhooks; do echo "-v ${role}_password=test -v ${role}_owner_password=test"; done
)
export TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$port/postgres"
# Names that lead where an attacker's would: see the file.
names="$here/../../.build/names.so"
source="$here/../../Tests/Names/names.c"
[ "$names" -nt "$source" ] || { mkdir -p "$(dirname "$names")" && clang -O1 -Wall -shared -fPIC -o "$names" "$source" -ldl; }
LD_PRELOAD=$names "$@"
