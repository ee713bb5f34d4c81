#!/bin/sh
# tree.sh DIR: make or complete a Debian 13 in DIR in which the real picamera2 runs on libcamera's virtual camera.
# Needs root and debootstrap; from nothing a minute or two and 1.1 GB.
set -eu
tree=$1
here=$(cd "$(dirname "$0")" && pwd)
made=$(cat "$0" "$here/dmaheap.c" "$here/virtual.yaml" "$here/../../pyproject.toml" | sha256sum)
[ "$(cat "$tree/made" 2>/dev/null)" = "$made" ] && exit

if [ ! -e "$tree/debootstrapped" ]; then
    echo "making a Debian 13 in $tree …"
    rm -rf "$tree"
    mkdir -p "$tree"
    debootstrap --variant=minbase trixie "$tree" >"$tree.log" 2>&1 || { tail -5 "$tree.log" >&2; exit 1; }
    touch "$tree/debootstrapped"
fi
echo "installing picamera2 and what it needs …"
cp -L /etc/resolv.conf "$tree/etc/"
in_tree() { "$here/enter.sh" "$tree" "$@"; }
in_tree apt-get -qq update
in_tree apt-get -qq install -y --no-install-recommends ca-certificates gcc libc6-dev libcamera-ipa libcap-dev \
    mosquitto mosquitto-clients python3-dev python3-libcamera python3-numpy python3-venv >"$tree.log" 2>&1 || { tail -5 "$tree.log" >&2; exit 1; }
# The authorities that this machine trusts, for those behind a proxy of their own.
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || cp -L /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
mkdir -p "$tree/opt/frames" "$tree/opt/edge-pose" "$tree/usr/share/libcamera/pipeline/virtual"
cp "$here/virtual.yaml" "$tree/usr/share/libcamera/pipeline/virtual/"
cp "$here/dmaheap.c" "$tree/opt/"
in_tree gcc -O2 -Wall -Wextra -shared -fPIC -o /opt/dmaheap.so /opt/dmaheap.c
# As on a Pi: apt's numpy and libcamera, which picamera2 is used with, seen from an environment of our own.
in_tree python3 -m venv --system-site-packages /opt/venv
in_tree env PIP_CERT=/etc/ssl/certs/ca-certificates.crt /opt/venv/bin/pip install -q --disable-pip-version-check \
    picamera2 ai-edge-litert msgspec paho-mqtt pillow typer rich pytest
printf %s "$made" >"$tree/made"
