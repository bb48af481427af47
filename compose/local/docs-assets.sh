#!/bin/bash
# Fetches swagger-ui, which shows the API document at /docs, from the Python package that carries it, with its licence.
#   docs-assets.sh DIR
# A machine that cannot get it is told so and goes on: /docs then leads to the raw document.
set -euo pipefail
dir=$1
package=drf-spectacular-sidecar==2026.10.1
hash=sha256:fe1d005d8ac9b5d0472f2fe5deeb2e7d6dcffaa24118044f22578b4b8c4b31f2
[ -f "$dir/LICENSE" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch() {
    echo "$package --hash=$hash" > "$work/requirements.txt"
    python3 -m venv "$work/venv" \
        && "$work/venv/bin/pip" download -q --disable-pip-version-check --no-deps --require-hashes -r "$work/requirements.txt" -d "$work" \
        && python3 - "$work"/drf_spectacular_sidecar-*.whl "$work/files" <<'PYTHON'
import pathlib, sys, zipfile
source = "drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist/"
target = pathlib.Path(sys.argv[2])
target.mkdir()
with zipfile.ZipFile(sys.argv[1]) as package:
    for name in ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png", "LICENSE"]:
        (target / name).write_bytes(package.read(source + name))
PYTHON
}
if ! fetch >"$work/log" 2>&1; then
    echo "swagger-ui cannot be fetched ($(tail -1 "$work/log")): /docs will only lead to the raw API document." >&2
    exit "${DOCS_ASSETS_REQUIRED:-0}"
fi
mkdir -p "$dir"
# The licence last: it tells that all is there.
for name in swagger-ui-bundle.js swagger-ui.css favicon-32x32.png LICENSE; do mv "$work/files/$name" "$dir/$name"; done
chmod 755 "$dir"
