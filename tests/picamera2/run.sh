#!/bin/sh
# run.sh [PYTEST ARGUMENTS]: the tests of the Pi camera on the real picamera2 and libcamera's virtual camera, in a Debian
# tree that is kept in EDGE_POSE_TREES, else ~/.cache/edge-pose.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=${EDGE_POSE_TREES:-${XDG_CACHE_HOME:-$HOME/.cache}/edge-pose}/picamera2
missing=
[ "$(id -u)" = 0 ] || missing="$missing root"
command -v debootstrap >/dev/null || missing="$missing debootstrap"
unshare --mount true 2>/dev/null || missing="$missing unshare(1)"
if [ -n "$missing" ]; then
    echo "NOT TESTED with the real picamera2: this needs$missing" >&2
    exit 0
fi
mkdir -p "$(dirname "$tree")"
"$here/tree.sh" "$tree" || {
    echo "NOT TESTED with the real picamera2: the tree for it could not be made" >&2
    exit 0
}
exec "$here/enter.sh" "$tree" env LD_PRELOAD=/opt/dmaheap.so EDGE_POSE_PICAMERA2=virtual PYTHONPATH=/opt/edge-pose \
    EDGE_POSE_STALLS="${EDGE_POSE_STALLS:-}" \
    sh -euc 'cd /opt/edge-pose && /opt/venv/bin/python -m tests.picamera2.scene /opt/frames &&
        exec /opt/venv/bin/python -m pytest -p no:cacheprovider tests/camera/test_picamera.py tests/picamera2 "$@"' run "$@"
