#!/bin/sh
# apt.sh PACKAGE...: install with apt, as root or through sudo without a password; fails where neither is possible.
set -eu
if ! command -v apt-get >/dev/null; then exit 1; fi
if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "installing $* with apt …"
# A list of packages may be there or not, and be old or not: fetch one only when it is needed.
$sudo apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1 || {
    $sudo apt-get update -qq
    $sudo apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}
