#!/bin/bash
# Makes the Python environment of requirements-NAME.txt under .build/ where it is not there yet, and prints its bin directory.
#   venv.sh NAME
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
list=$here/requirements-$1.txt
venv=$here/../../.build/venv-$1
if ! cmp -s "$list" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$list" >&2
    cp "$list" "$venv/installed.txt"
fi
cd "$venv/bin" && pwd
