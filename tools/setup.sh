#!/bin/sh
# Install what building and testing weir needs: Debian packages (tools/packages.txt) and npm
# packages (package-lock.json). Installs only what is missing; needs root, or sudo, only then.
set -eu
cd "$(dirname "$0")/.."

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is not a Debian system; install the counterparts of tools/packages.txt" \
        "yourself, then 'npm ci' and 'touch build/.setup'" >&2
    exit 1
fi

missing=
while read -r name condition rest; do
    case "$name" in
    '' | '#'*) continue ;;
    esac
    case "$condition" in
    '?'*) if command -v "${condition#?}" >/dev/null 2>&1; then continue; fi ;;
    esac
    status=$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true)
    if [ "$status" != installed ]; then
        missing="$missing $name"
    fi
done <tools/packages.txt

if [ -n "$missing" ]; then
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "setup: Debian packages are missing, and installing them needs root or sudo." \
                "Run this as root, then make again:" >&2
            echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
            exit 1
        fi
        sudo=sudo
    fi
    echo "setup: installing$missing"
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # one word per package
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
fi

# npm ci leaves node_modules/.package-lock.json behind; newer than the lock file means done.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    touch node_modules/.package-lock.json
fi
