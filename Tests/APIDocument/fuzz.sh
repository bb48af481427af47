#!/bin/bash
# Runs fuzz.py where no network is but the loopback: what it makes up (webhook targets, mail servers) must reach nobody.
#   fuzz.sh BINARIES [--short]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$("$here/../venv.sh" "$here/requirements-fuzz.txt")
"$here/../../compose/local/smtp-sink.sh" "$here/../../.build/fuzz/tools" >/dev/null
if [ "$(id -u)" != 0 ] || ! unshare -n true 2>/dev/null; then
    echo "fuzz: only root can take the network away; without it addresses that are made up may be called" >&2
    exec "$bin/python" "$here/fuzz.py" "$@"
fi
# ioctl SIOCSIFFLAGS 0x8914 with IFF_UP | IFF_RUNNING: `ip` is not installed everywhere.
exec unshare -n bash -c '
    python3 -c "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack(\"16sh14x\", b\"lo\", 0x41))"
    exec "$@"' bash "$bin/python" "$here/fuzz.py" "$@"
