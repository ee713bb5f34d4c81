#!/usr/bin/env bash
# trees.sh: functions for tests that run in a Debian tree. Source it from bash, as root. The caller sets the variable
# `checkout`, and defines a function `skip` that prints a reason and ends the script.
# Trees are kept in a cache. Tests write into an overlay, so that the tree does not change.
# shellcheck disable=SC2154 # `checkout` is the caller's
cache=${XDG_CACHE_HOME:-$HOME/.cache}/edge-pose

# own_mounts SCRIPT [ARGUMENT...]: restart the script in its own mount namespace, so that its mounts end with it. There,
# /run is empty.
own_mounts() {
    if [[ ${EDGE_POSE_OWN_MOUNTS-} ]]; then
        mount -t tmpfs tmpfs /run
        return
    fi
    ((EUID == 0)) || skip "not run as root"
    local program
    for program in debootstrap unshare flock; do
        command -v "$program" >/dev/null || "$checkout/tests/support/apt.sh" debootstrap util-linux ||
            skip "$program is not installed"
    done
    unshare --mount true 2>/dev/null || skip "mounting is not allowed in this container"
    EDGE_POSE_OWN_MOUNTS=1 exec unshare --mount --propagation private bash "$@"
}

# contents FOLDER: print a hash of the names, types and sizes of everything in it.
contents() { (cd "$1" && find . -mindepth 1 -printf '%P %y %s %l\n' | LC_ALL=C sort | sha256sum); }

is_whole() { [[ -f $1.contents && -d $1 && $(<"$1.contents") == "$(contents "$1")" ]]; }

# keep NAME KEY COMMAND...: set `kept` to a folder in the cache that `COMMAND... FOLDER` has filled. KEY is text that
# changes with everything that the contents depend on. A damaged folder is created again. The folder stays locked until
# this script ends. If the command fails, the tests are skipped; with exit status 3, they fail.
keep() {
    local name=$1 shelf=$cache/$1 lock old status
    mkdir -p "$shelf"
    exec {lock}>"$shelf/lock"
    flock --shared "$lock"
    kept=$shelf/$(sha256sum <<<"$2" | cut -c 1-16)
    shift 2
    if ! is_whole "$kept"; then
        flock "$lock"
        if ! is_whole "$kept"; then # no other script has created it in the meantime
            [[ ! -e $kept ]] || echo "$kept is damaged" >&2
            echo "creating $name in $kept …"
            rm -rf "$kept" "$kept.contents" "$shelf/new"
            # Of the others, only the last used one stays, for another branch.
            find "$shelf" -name '*.contents' -printf '%T@ %p\n' | sort -rn | tail -n +2 |
                while read -r _ old; do rm -rf "$old" "${old%.contents}"; done
            mkdir "$shelf/new"
            set +e # `||` would make the shell ignore the command's own set -e
            (set -e; "$@" "$shelf/new") >"$shelf/log" 2>&1
            status=$?
            set -e
            ((status != 3)) || { echo "FAIL  $name: $(tail -3 "$shelf/log"); see $shelf/log" && exit 1; }
            ((status == 0)) || skip "$name could not be created: $(tail -3 "$shelf/log"); see $shelf/log"
            mv "$shelf/new" "$kept"
            contents "$kept" >"$kept.contents"
        fi
        flock --shared "$lock"
    fi
    touch "$kept.contents" # a folder that is unused for 30 days is deleted
}

# lay_over TREE FOLDER: mount an overlay of the tree in FOLDER/tree. Changes are kept in memory only.
lay_over() {
    mkdir -p "$2"
    mount -t tmpfs tmpfs "$2"
    mkdir "$2/changes" "$2/work" "$2/tree"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/tree"
}

# connect TREE: copy the settings that the network and pip need on this machine.
connect() {
    cp -L /etc/resolv.conf "$1/etc/" || true
    [[ ! -f /etc/pip.conf ]] || cp /etc/pip.conf "$1/etc/"
    install -D -m 644 -t "$1/etc/ssl/certs" /etc/ssl/certs/ca-certificates.crt || true
    # Debian's ca-certificates package creates that file again, from the certificates in this folder.
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$1/usr/local/share/ca-certificates/host.crt" || true
}

# enter TREE COMMAND...: run a command in the tree, with the checkout mounted read-only at /checkout.
enter() {
    # shellcheck disable=SC2016 # the inner shell expands it
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1 unshare --mount sh -euc '
        tree=$1 checkout=$2
        shift 2
        for folder in proc sys dev; do mount --rbind "/$folder" "$tree/$folder"; done
        [ ! -d "$tree/checkout" ] || mount --bind -o ro "$checkout" "$tree/checkout"
        exec chroot "$tree" "$@"' enter "$1" "$checkout" "${@:2}"
}

# debian SUITE ARCH PACKAGE...: set `kept` to a Debian tree with these packages.
debian() {
    local suite=$1 arch=$2
    shift 2
    keep "$suite-$arch" "debootstrap $*" bootstrap "$suite" "$arch" "$(IFS=, && echo "$*")"
}

bootstrap() { # SUITE ARCH PACKAGE,PACKAGE FOLDER
    local options=() scripts=/usr/share/debootstrap/scripts
    # An older debootstrap does not know a newer suite. Its steps are those of sid.
    [[ -e $scripts/$1 ]] || options=("" "$scripts/sid") # "": the usual mirror
    debootstrap --arch="$2" --variant=minbase --include="$3" "$1" "$4" "${options[@]}"
    mkdir "$4/checkout"
    rm -rf "$4"/var/cache/apt/archives/*.deb
}

# dependencies: print the part of pyproject.toml that lists the dependencies, before the settings of tools.
dependencies() { sed '/^\[tool\./,$d' "$checkout/pyproject.toml"; }
