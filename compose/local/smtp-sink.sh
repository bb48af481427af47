#!/bin/bash
# Makes postfix's smtp-sink available under DIR without installing postfix, which would replace a user's mail server.
#   smtp-sink.sh DIR     prints the command's path
set -euo pipefail
dir=$1
if command -v smtp-sink >/dev/null; then command -v smtp-sink; exit 0; fi
if [ ! -x "$dir/smtp-sink" ]; then
    mkdir -p "$dir/package"
    # apt drops to its own user for downloads and may not enter DIR.
    download=$(mktemp -d /var/tmp/switchboard-sink-XXXXXX)
    chmod 777 "$download"
    trap 'rm -rf "$download"' EXIT
    (cd "$download" && apt-get download -q postfix >/dev/null 2>&1) || {
        echo "the package postfix, which carries smtp-sink, cannot be downloaded: run 'apt-get update' first" >&2
        exit 1
    }
    dpkg -x "$download"/postfix_*.deb "$dir/package"
    cat > "$dir/smtp-sink" <<'RUN'
#!/bin/sh
here=$(dirname "$0")/package
LD_LIBRARY_PATH=$here/usr/lib/postfix exec "$here/usr/sbin/smtp-sink" "$@"
RUN
    chmod +x "$dir/smtp-sink"
fi
echo "$dir/smtp-sink"
