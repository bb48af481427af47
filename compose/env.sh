#!/bin/bash
# Makes a complete environment for compose.yaml with fresh secrets.
#   env.sh FILE    writes it to FILE, which its owner alone may read; a FILE that is there already is left alone
#   env.sh         prints it:  (umask 077; compose/env.sh > compose/.env)
# The master of the internal keys goes to standard error, not into the environment: no process needs it. With it keys.sh derives the same keys again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
secret() { openssl rand -hex 24; }

environment() {
    echo "PUBLIC_URL=${PUBLIC_URL:-http://localhost:8080}"
    echo "POSTGRES_PASSWORD=$(secret)"
    for service in GATEWAY INTEGRATIONS CAMPAIGNS WEBHOOKS; do
        echo "POSTGRES_${service}_PASSWORD=$(secret)"
        echo "POSTGRES_${service}_OWNER_PASSWORD=$(secret)"
        echo "${service}_ENCRYPTION_KEY=$(openssl rand -base64 32)"
    done
    printf '%s\n' "$master" | "$here/keys.sh"
}

[ $# -le 1 ] || { echo "usage: env.sh [FILE]" >&2; exit 64; }
master=$(openssl rand -base64 32)
text=$(environment)
umask 077
set -o noclobber
if [ $# = 1 ]; then echo "$text" > "$1"; else echo "$text"; fi
echo "Master of the internal keys; store it apart from the environment and from backups: $master" >&2
