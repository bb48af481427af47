#!/bin/bash
# Starts the local stack on free ports and opens /docs in a browser.
#   docs-check.sh BINARIES
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$("$root/Tests/venv.sh" "$root/Tests/Panel/requirements.txt")
export RUN_DIR=$root/.build/docs-check
rm -rf "$RUN_DIR/demo.env"
ports=$(python3 -c 'import socket
ss = [socket.create_server(("127.0.0.1", 0)) for _ in range(7)]
print(*(s.getsockname()[1] for s in ss))')
read -r GATEWAY_PORT INTEGRATIONS_PORT CAMPAIGNS_PORT WEBHOOKS_PORT POSTGRES_PORT SANDBOX_PORT SMTP_SINK_PORT <<<"$ports"
export GATEWAY_PORT INTEGRATIONS_PORT CAMPAIGNS_PORT WEBHOOKS_PORT POSTGRES_PORT SANDBOX_PORT SMTP_SINK_PORT
mkdir -p "$RUN_DIR"
"$1/launcher" run --root "$root" --binaries "$1" --contacts 50 >"$RUN_DIR/launcher.log" 2>&1 &
launcher=$!
trap 'kill -INT "$launcher" 2>/dev/null; wait "$launcher" || true' EXIT
for _ in $(seq 240); do
    [ -f "$RUN_DIR/demo.env" ] && break
    kill -0 "$launcher" 2>/dev/null || { tail -20 "$RUN_DIR/launcher.log" >&2; exit 1; }
    sleep 0.5
done
. "$RUN_DIR/demo.env"
"$bin/python" "$here/docs_check.py" "$GATEWAY_URL" "$DEMO_API_KEY" "$RUN_DIR/docs.png"
