#!/bin/bash
# Installs the Debian packages that building, running and testing need and that this machine lacks. Silent when nothing is missing.
#   setup.sh [run|test|bench|browser|fresh]    run is the base; each other one adds its own
set -euo pipefail

# What a Swift toolchain needs on a bare Debian 12, what the product links, and the servers of the local stack.
packages=(
    binutils ca-certificates git libc6-dev libedit2 libgcc-12-dev libncurses6 libsqlite3-0 libstdc++-12-dev libxml2-dev libz3-dev
    pkg-config tzdata zlib1g-dev
    libpq-dev libssl-dev libcurl4-openssl-dev libjemalloc-dev openssl postgresql postgresql-client util-linux procps
    libdb5.3 libnsl2 libicu72 python3 python3-venv
)
case "${1:-run}" in
run | test) ;;
bench) packages+=(postgresql-contrib nginx-light libnginx-mod-http-lua lua-resty-core lua-nginx-redis redis-tools wrk) ;;
browser) packages+=(chromium fonts-dejavu-core) ;;
fresh) packages+=(mmdebstrap) ;;
*)
    echo "usage: setup.sh [run|test|bench|browser|fresh]" >&2
    exit 64
    ;;
esac

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as=()
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
        as=(sudo)
    else
        echo "These Debian packages are missing: ${missing[*]}" >&2
        echo "Install them as root:  apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
fi

echo "Installing ${#missing[@]} packages: ${missing[*]}"
# The Postgres package would make and start a cluster of its own on port 5432: it is told not to, for this installation only.
cluster=/etc/postgresql-common/createcluster.conf
quiet=no
if [ ! -e "$cluster" ]; then
    quiet=yes
    "${as[@]}" mkdir -p "${cluster%/*}"
    echo "create_main_cluster = false" | "${as[@]}" tee "$cluster" >/dev/null
fi
log=$(mktemp)
install() {
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${missing[@]}" >"$log" 2>&1
}
# The package lists may be old or absent: fetched anew only when the first try fails.
if ! install; then
    "${as[@]}" apt-get update -q >"$log" 2>&1 && install || {
        tail -20 "$log" >&2
        echo "Installing failed; the whole log is in $log" >&2
        exit 1
    }
fi
rm -f "$log"
stock=/usr/share/postgresql-common/createcluster.conf
if [ "$quiet" = yes ] && [ -e "$stock" ]; then "${as[@]}" cp "$stock" "$cluster"; fi
