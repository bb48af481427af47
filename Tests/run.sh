#!/bin/bash
# Runs the built tests, one module after the other (many of them load both cores and every connection of the cluster, and some measure time), and
# then holds what the public API answered against the API document.
#   Tests/run.sh MODULE…      e.g. Models Gateway; MODULE is a test target's name without "Tests"
# What failed is said once more at the end, where whoever reads only the last lines finds it.
set -uo pipefail
cd "$(dirname "$0")/.."

logs=.build/test-logs
export RECORD_EXCHANGES=$PWD/.build/exchanges.ndjson
rm -rf "$logs" "$RECORD_EXCHANGES"
mkdir -p "$logs"
failed=()

# Prints and keeps a part's output; notes it when it fails.
part() {
    local name=$1
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$logs/$name.log" || failed+=("$name")
}

# Made before the tests that need it, so that none of them waits for the network.
[[ " $* " != *" Webhooks "* ]] || part ReceiverLibraries Tests/venv.sh Tests/WebhooksTests/requirements.txt

# As they were built, without `swift test`: that would read every package's manifest anew for each module, whose cluster has a port of its own
# in the environment.
for module; do
    part "$module" compose/local/test.sh .build/debug/switchboardPackageTests.xctest --testing-library swift-testing \
        --filter "^${module}Tests\."
done
part APIDocument "$(Tests/venv.sh Tests/APIDocument/requirements-check.txt)/python" Tests/APIDocument/check.py "$RECORD_EXCHANGES"

[ ${#failed[@]} = 0 ] && exit 0
for name in "${failed[@]}"; do
    echo "== failed: $name"
    # What each test said of itself, and why a process ended before its time; where there is neither, its last words.
    sed 's/\x1b\[[0-9;]*m//g' "$logs/$name.log" | grep -E -A 2 '^✘|Fatal error|Program crashed' | head -60 || tail -20 "$logs/$name.log"
done
exit 1
