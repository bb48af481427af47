#!/bin/bash
# Prints a complete environment for compose.yaml with fresh secrets:  compose/env.sh > compose/.env && chmod 600 compose/.env
# Keep the master that it prints first: with it `keys.sh` derives the same internal keys again. No process needs it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
secret() { openssl rand -hex 24; }
master=$(openssl rand -base64 32)
echo "# Master of the internal keys; store it apart from this file: $master"
echo "PUBLIC_URL=${PUBLIC_URL:-http://localhost:8080}"
echo "POSTGRES_PASSWORD=$(secret)"
for service in GATEWAY INTEGRATIONS CAMPAIGNS WEBHOOKS; do
    echo "POSTGRES_${service}_PASSWORD=$(secret)"
    echo "POSTGRES_${service}_OWNER_PASSWORD=$(secret)"
    echo "${service}_ENCRYPTION_KEY=$(openssl rand -base64 32)"
done
"$here/keys.sh" "$master"
