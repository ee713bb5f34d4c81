#!/bin/sh
# python-venv.sh PYTHON DIR [--no-deps | --system-site-packages] PROJECT [PACKAGE...]: create an environment in DIR with
# the packages and, as an editable installation, the project. With --system-site-packages it also has the system's
# packages, and keeps the system's numpy.
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
deps='' site=''
case $1 in
--no-deps) deps=$1 ;;
--system-site-packages) site=$1 ;;
esac
[ -z "$deps$site" ] || shift
echo "creating the environment in $venv …"
# shellcheck disable=SC2086 # empty or one option
"$python" -m venv $site "$venv"
if [ -n "$site" ] && numpy=$("$python" -c 'import numpy; print(numpy.__version__)' 2>/dev/null); then
    echo "numpy==$numpy" >"$venv/constraints.txt"
    export PIP_CONSTRAINT="$venv/constraints.txt"
fi
pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
# shellcheck disable=SC2086 # empty or one option
pip install $deps --editable "$1"
shift
if [ $# -gt 0 ]; then pip install "$@"; fi
