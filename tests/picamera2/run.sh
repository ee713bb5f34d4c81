#!/usr/bin/env bash
# run.sh [PYTEST ARGUMENT...]: the Pi camera's tests with the real picamera2 on libcamera's virtual camera, in a Debian 13.
# Needs root. The tree takes 1.1 GB in the cache, and a minute or two and a network the first time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$here/../.." && pwd)
# shellcheck source=tests/support/trees.sh
source "$checkout/tests/support/trees.sh"
skip() {
    echo "NOT TESTED with the real picamera2: $*" >&2
    exit 0
}

install_picamera2() { # FOLDER
    cp -a "$base/." "$1"
    connect "$1"
    enter "$1" apt-get -qq update
    enter "$1" apt-get -qq install -y --no-install-recommends gcc libc6-dev libcamera-ipa libcap-dev \
        mosquitto mosquitto-clients python3-dev python3-libcamera python3-numpy python3-venv
    mkdir -p "$1/opt/frames" "$1/usr/share/libcamera/pipeline/virtual"
    cp "$here/virtual.yaml" "$1/usr/share/libcamera/pipeline/virtual/"
    cp "$here/dmaheap.c" "$1/opt/"
    enter "$1" gcc -O2 -Wall -Wextra -shared -fPIC -o /opt/dmaheap.so /opt/dmaheap.c
    # As on a Pi: apt's numpy and libcamera, seen from an environment that has the rest.
    enter "$1" python3 -m venv --system-site-packages /opt/venv
    enter "$1" env PIP_CERT=/etc/ssl/certs/ca-certificates.crt /opt/venv/bin/pip install -q --no-cache-dir \
        --disable-pip-version-check picamera2 ai-edge-litert msgspec paho-mqtt tomlkit pillow typer rich jsonschema pytest
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
}

own_mounts "${BASH_SOURCE[0]}" "$@"
debian trixie "$(dpkg --print-architecture)" ca-certificates
base=$kept
keep picamera2 "$base $(cat "${BASH_SOURCE[0]}" "$here/dmaheap.c" "$here/virtual.yaml") $(dependencies)" install_picamera2
lay_over "$kept" /run/edge-pose
# What runs on the fakes runs in `make test`; "real" is the real picamera2 in the names of the tests.
enter /run/edge-pose/tree env LD_PRELOAD=/opt/dmaheap.so EDGE_POSE_PICAMERA2=virtual PYTHONPATH=/checkout \
    EDGE_POSE_STALLS="${EDGE_POSE_STALLS-}" sh -euc '
    cd /checkout
    /opt/venv/bin/python -m tests.picamera2.scene /opt/frames
    exec /opt/venv/bin/python -m pytest -p no:cacheprovider tests/camera/test_picamera*.py tests/picamera2 \
        -k "real or test_daemon" "$@"' run "$@"
