#!/bin/sh
# apt.sh PACKAGE...: install with apt, as root or with passwordless sudo. Fails if neither is possible.
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
# The package list may be missing or outdated. Updating it is slow, so do it only if the installation fails.
$sudo apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1 || {
    $sudo apt-get update -qq
    $sudo apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}
