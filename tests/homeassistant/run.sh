#!/usr/bin/env bash
# run.sh [VERSION [PYTEST ARGUMENT...]]: the tests with a real Home Assistant and a real mosquitto, in a Debian tree.
# VERSION is "newest", or a version such as 2026.2. The newest one stays in the cache until the cache is deleted.
# Needs root. The tree takes 2 GB in the cache, and a few minutes and a network the first time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$here/../.." && pwd)
# shellcheck source=tests/support/trees.sh
source "$checkout/tests/support/trees.sh"
version=${1:-newest}
skip() {
    echo "NOT TESTED with Home Assistant ($version): ${*//$'\n'/; }" >&2
    exit 1
}

install_home_assistant() { # FOLDER
    cp -a "$base/." "$1"
    connect "$1"
    enter "$1" /checkout/tests/homeassistant/install.sh "$requirement"
}

case $version in
    newest) suite=forky requirement=homeassistant ;;
    202[0-5].* | 2026.[12] | 2026.[12].*) suite=trixie requirement="homeassistant==$version.*" ;; # for Python 3.13
    *) suite=forky requirement="homeassistant==$version.*" ;;
esac
own_mounts "${BASH_SOURCE[0]}" "$@"
debian "$suite" "$(dpkg --print-architecture)" ca-certificates
base=$kept
keep "homeassistant-$version" "$base $requirement $(cat "$here/install.sh" "$here/requirements.py") $(dependencies)" \
    install_home_assistant
lay_over "$kept" /run/edge-pose
enter /run/edge-pose/tree /opt/homeassistant/bin/hass --version
# shellcheck disable=SC2016 # the shell in the tree expands it
# The tests wait most of the time. Each worker has a Home Assistant and a broker of its own.
enter /run/edge-pose/tree env PYTHONPATH=/checkout EDGE_POSE_HOMEASSISTANT=/opt/homeassistant/bin/hass sh -euc '
    cd /checkout
    exec /opt/edge-pose/bin/python -m pytest -p no:cacheprovider -n "$(($(nproc) + 1))" --maxschedchunk 1 \
        tests/homeassistant "$@"' run "${@:2}"
