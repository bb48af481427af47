#!/bin/bash
# Measures Database, Transport and Encryption beside their peers, then the gateway beside nginx with Lua and FastAPI, then webhooks beside a
# Python worker: private servers all, for this run alone. Takes about twenty-five minutes after the build, which is long the first time (the peers
# bring BoringSSL).
#   BENCH_ONLY=encryption|database|transport|gateway|webhooks   only that part
#   WEBHOOKS_BENCH='--rounds 1 --seconds 5 --queued 100000'     options of that part, see Webhooks/run.py --help
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

"$root/compose/local/setup.sh" bench
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
export PATH="$bin:$PATH:/usr/sbin"

gateway() {
    local bin
    bin=$("$root/Tests/venv.sh" "$here/Gateway/requirements.txt")
    make -C "$root" build
    python3 "$here/Gateway/run.py" --python "$bin/python"
}
webhooks() {
    local bin
    bin=$("$root/Tests/venv.sh" "$here/Webhooks/requirements.txt")
    make -C "$root" build
    # Words of the variable are options.
    # shellcheck disable=SC2086
    "$bin/python" "$here/Webhooks/run.py" ${WEBHOOKS_BENCH:-}
}
case ${BENCH_ONLY:-} in
gateway | webhooks)
    "$BENCH_ONLY"
    exit
    ;;
esac

cd "$here"
swift build -c release -debug-info-format none --product Bench
bench=$(swift build -c release -debug-info-format none --show-bin-path)/Bench

dir=$(mktemp -d /var/tmp/switchboard-bench-XXXXXX)
chmod 755 "$dir"
cleanup() {
    "$root/compose/local/postgres.sh" stop "$dir/postgres" immediate
    [ ! -s "$dir/nginx.pid" ] || kill "$(cat "$dir/nginx.pid")" 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT

# A free port below the range that the kernel hands out by itself.
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    echo "no free port found" >&2
    return 1
}

database_port=$(free_port)
"$root/compose/local/postgres.sh" start "$dir/postgres" "$database_port"

http_port=$(free_port)
cat > "$dir/nginx.conf" <<CONF
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/nginx.log;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    server {
        listen 127.0.0.1:$http_port backlog=4096;
        location / { default_type application/json; return 200 '{"status":"ok","message":"hello, neighbour"}'; }
    }
}
CONF
nginx -e "$dir/nginx.log" -c "$dir/nginx.conf"

# 512 callers hold 512 sockets on each side.
ulimit -n 8192 2>/dev/null || true
echo "$(nproc) cores, $(uname -m); $(openssl version | cut -d' ' -f1,2), $(pgbench --version), $(nginx -v 2>&1)"
SWIFT_BACKTRACE=enable=no "$bench" "postgres://postgres@127.0.0.1:$database_port/postgres" "http://127.0.0.1:$http_port/" "$dir" ${BENCH_ONLY:-}
[ -n "${BENCH_ONLY:-}" ] && exit
# Each says with its status whether its aims are met; one that misses does not keep the other from running.
failed=0
for part in gateway webhooks; do BENCH_ONLY=$part "$here/run.sh" || failed=1; done
exit $failed
