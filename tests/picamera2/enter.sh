#!/bin/sh
# enter.sh DIR COMMAND...: run a command in the tree, with this project in /opt/edge-pose, read-only. What is mounted for
# it vanishes with it.
set -eu
tree=$1
shift
project=$(cd "$(dirname "$0")/../.." && pwd)
# Single quotes, because all of that is for the inner shell.
# shellcheck disable=SC2016
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1 unshare --mount sh -euc '
    tree=$1 project=$2
    shift 2
    for folder in proc sys dev; do mount --rbind "/$folder" "$tree/$folder"; done
    mkdir -p "$tree/opt/edge-pose"
    mount --bind -o ro "$project" "$tree/opt/edge-pose"
    exec chroot "$tree" "$@"' enter "$tree" "$project" "$@"
