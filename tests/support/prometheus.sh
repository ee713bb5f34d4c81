#!/bin/sh
# Unpack Debian's prometheus into the cache of the tests. It is not installed, because that would start a service.
set -eu
folder=${XDG_CACHE_HOME:-$HOME/.cache}/edge-pose/prometheus
if command -v prometheus >/dev/null && command -v promtool >/dev/null; then exit 0; fi
if [ -x "$folder/usr/bin/promtool" ]; then exit 0; fi
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
cd "$temporary"
echo "downloading prometheus with apt …"
# The package list may be missing or outdated, and only root may update it.
apt-get -qq download prometheus 2>/dev/null || {
    apt-get -qq update
    apt-get -qq download prometheus 2>/dev/null
} || {
    echo "NOT TESTED with Prometheus: it cannot be downloaded with apt" >&2
    exit 1
}
mkdir -p "$folder"
dpkg-deb -x prometheus_*.deb "$folder"
