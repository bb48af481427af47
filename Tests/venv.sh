#!/bin/bash
# Makes the Python environment of a requirements file under .build/ where it is not there yet, and prints its bin directory.
#   venv.sh FILE
set -euo pipefail
list=$1
name=$(basename "$(dirname "$list")")-$(basename "$list" .txt)
venv=$(cd "$(dirname "$0")/.." && pwd)/.build/venv-$name
if ! cmp -s "$list" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$list" >&2
    cp "$list" "$venv/installed.txt"
fi
echo "$venv/bin"
