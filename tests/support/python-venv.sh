#!/bin/sh
# python-venv.sh PYTHON DIR [--no-deps] PROJECT [PACKAGE...]: create an environment in DIR with the packages and, as an
# editable installation, the project.
set -eu
python=$1 venv=$2
shift 2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "'$python' is not Python 3.11 or newer; name another one, for example: make PYTHON=python3.12" >&2
    exit 1
fi
# Debian's python3 package lacks the modules that create environments.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    "$(dirname "$0")/apt.sh" "$version-venv" || {
        echo "$python cannot create environments; run: sudo apt-get install $version-venv" >&2
        exit 1
    }
fi
echo "creating the environment in $venv …"
"$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
deps=
if [ "$1" = --no-deps ]; then
    deps=$1
    shift
fi
# shellcheck disable=SC2086 # empty or one option
pip install $deps --editable "$1"
shift
if [ $# -gt 0 ]; then pip install "$@"; fi
