#!/bin/bash
# A private Postgres cluster with fsync on, as root (it then runs as the user postgres) or as a plain user.
#   postgres.sh start DIR PORT     makes the cluster if there is none, starts it, waits until it answers
#   postgres.sh stop DIR [MODE]    MODE: fast (default) or immediate
# The cluster trusts local connections of its socket and loopback, nothing else; it is for development and tests.
# Where the user postgres cannot enter DIR's parents, the data lives in a folder under /var/tmp that DIR/location names.
set -euo pipefail

command=$1 dir=$2
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -n "$bin" ] || { echo "PostgreSQL's server programs are not installed: run 'make setup'" >&2; exit 1; }
as=()
[ "$(id -u)" = 0 ] && as=(setpriv --reuid=postgres --regid=postgres --init-groups)

# The folder that the server's user can write, with a path short enough for a socket (107 bytes).
location() {
    if [ -f "$dir/location" ]; then cat "$dir/location"; return; fi
    mkdir -p "$dir"
    local place
    place=$(cd "$dir" && pwd)
    if [ "$(id -u)" = 0 ] && ! "${as[@]}" test -x "$place" || [ ${#place} -gt 80 ]; then
        place=$(mktemp -d /var/tmp/switchboard-pg-XXXXXX)
    fi
    [ "$(id -u)" = 0 ] && chown postgres "$place" && chmod 755 "$place"
    echo "$place" > "$dir/location"
    echo "$place"
}

# Whether the noted server is this cluster's: after a crash its pid may be another program's. A server stands in its data folder.
running() {
    local pid
    pid=$(head -1 "$place/data/postmaster.pid" 2>/dev/null) && [ -n "$pid" ] && [ "/proc/$pid/cwd" -ef "$place/data" ]
}

[ "$command" = stop ] && [ ! -f "$dir/location" ] && exit 0
place=$(location)
cd /
case $command in
start)
    port=$3
    if [ ! -s "$place/data/PG_VERSION" ]; then
        "${as[@]}" rm -rf "$place/data"
        "${as[@]}" "$bin/initdb" -D "$place/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-instructions --no-sync >/dev/null
    fi
    if running; then exit 0; fi
    "${as[@]}" mkdir -p "$place/sock"
    # Server processes must not hold the caller's pipes open: their standard streams go to the log.
    "${as[@]}" "$bin/pg_ctl" -D "$place/data" -w -s -l "$place/log" \
        -o "-p $port -k $place/sock -c listen_addresses=127.0.0.1 -c fsync=on -c max_connections=300 -c shared_buffers=256MB -c max_wal_size=4GB" \
        start >/dev/null 2>&1 </dev/null || { tail -20 "$place/log" >&2; exit 1; }
    ;;
stop)
    running || exit 0
    "${as[@]}" "$bin/pg_ctl" -D "$place/data" -m "${3:-fast}" -w -s stop >/dev/null 2>&1 || true
    ;;
*)
    echo "usage: postgres.sh start DIR PORT | stop DIR [fast|immediate]" >&2
    exit 64
    ;;
esac
