#!/usr/bin/env bash
# install.sh REQUIREMENT: install Home Assistant and what our tests need, each in an environment in /opt.
# Runs as root in a Debian, with the checkout at /checkout.
set -euo pipefail
requirement=$1
export PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
# The lists of Debian's testing suite expire a week after the mirror's last update.
apt-get -qq -o Acquire::Check-Valid-Until=false update
apt-get -qq install -y --no-install-recommends g++ gcc libturbojpeg0 mosquitto mosquitto-clients python3-dev python3-venv

python3 -m venv /opt/homeassistant
/opt/homeassistant/bin/pip install "$requirement"
/opt/homeassistant/bin/python /checkout/tests/homeassistant/requirements.py >/opt/homeassistant/requirements.txt
/opt/homeassistant/bin/pip install -r /opt/homeassistant/requirements.txt \
    -c /opt/homeassistant/lib/python3*/site-packages/homeassistant/package_constraints.txt

python3 -m venv /opt/edge-pose
python3 - >/opt/edge-pose/requirements.txt <<'END'
import tomllib
from pathlib import Path

project = tomllib.loads(Path("/checkout/pyproject.toml").read_text(encoding="utf-8"))["project"]
print("\n".join(project["dependencies"]))
END
/opt/edge-pose/bin/pip install -r /opt/edge-pose/requirements.txt jinja2 jsonschema pytest pytest-xdist websockets
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*
