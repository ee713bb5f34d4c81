#!/usr/bin/env bash
# run.sh PYTEST [ARGUMENT...]: the tests of the page in a real Chromium, and of the metrics with a real Prometheus.
# Needs chromium and chromium-driver, mosquitto, and npm for axe-core; installs them where apt can.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for need in chromium:chromium chromedriver:chromium-driver mosquitto:mosquitto npm:npm openssl:openssl; do
    program=${need%:*} package=${need#*:}
    if ! PATH=$PATH:/usr/sbin command -v "$program" >/dev/null && ! "$here/../support/apt.sh" "$package"; then
        echo "NOT TESTED in a browser: $program is not here; run: apt-get install $package" >&2
        exit 1
    fi
done
"$here/../support/prometheus.sh"
exec env EDGE_POSE_BROWSER=1 "$1" "$here" "$here/../monitoring" "${@:2}"
