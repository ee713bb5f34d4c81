#!/usr/bin/env bash
# trees.sh: functions for tests that run in a Debian tree. Source it from bash, as root, with the variable `checkout` set
# and a function `skip` that ends the script with a reason.
# A tree is made once and kept in a cache. Tests write into a layer over it, so it stays as it was made.
# shellcheck disable=SC2154 # `checkout` is the caller's
cache=${XDG_CACHE_HOME:-$HOME/.cache}/edge-pose

# own_mounts SCRIPT [ARGUMENT...]: run the script again where its mounts vanish with it, with an empty /run.
own_mounts() {
    if [[ ${EDGE_POSE_OWN_MOUNTS-} ]]; then
        mount -t tmpfs tmpfs /run
        return
    fi
    ((EUID == 0)) || skip "it needs root"
    local program
    for program in debootstrap unshare flock; do
        command -v "$program" >/dev/null || "$checkout/tests/support/apt.sh" debootstrap util-linux || skip "it needs $program"
    done
    unshare --mount true 2>/dev/null || skip "this container may not mount anything"
    EDGE_POSE_OWN_MOUNTS=1 exec unshare --mount --propagation private bash "$@"
}

# contents FOLDER: a hash of the names, kinds and sizes of all that is in it.
contents() { (cd "$1" && find . -mindepth 1 -printf '%P %y %s %l\n' | LC_ALL=C sort | sha256sum); }

is_whole() { [[ -f $1.contents && -d $1 && $(<"$1.contents") == "$(contents "$1")" ]]; }

# keep NAME KEY COMMAND...: set `kept` to a folder of the cache that `COMMAND... FOLDER` filled. The key is text that
# changes with everything the contents depend on. A damaged folder is made again. A folder in use is locked until this
# script ends. Where the command fails the tests are skipped; with status 3, they fail.
keep() {
    local name=$1 shelf=$cache/$1 lock old status
    mkdir -p "$shelf"
    exec {lock}>"$shelf/lock"
    flock --shared "$lock"
    kept=$shelf/$(sha256sum <<<"$2" | cut -c 1-16)
    shift 2
    if ! is_whole "$kept"; then
        flock "$lock"
        if ! is_whole "$kept"; then # still, after the wait for the lock
            [[ ! -e $kept ]] || echo "$kept is damaged" >&2
            echo "making $name in $kept …"
            rm -rf "$kept" "$kept.contents" "$shelf/new"
            # Of the others, only the last used one stays, for another branch.
            find "$shelf" -name '*.contents' -printf '%T@ %p\n' | sort -rn | tail -n +2 |
                while read -r _ old; do rm -rf "$old" "${old%.contents}"; done
            mkdir "$shelf/new"
            set +e # and not `||`, in which the shell would ignore the command's own set -e
            (set -e; "$@" "$shelf/new") >"$shelf/log" 2>&1
            status=$?
            set -e
            ((status != 3)) || { echo "FAIL  $name: $(tail -3 "$shelf/log"); see $shelf/log" && exit 1; }
            ((status == 0)) || skip "$name could not be made: $(tail -3 "$shelf/log"); see $shelf/log"
            mv "$shelf/new" "$kept"
            contents "$kept" >"$kept.contents"
        fi
        flock --shared "$lock"
    fi
    touch "$kept.contents" # used today
}

# lay_over TREE FOLDER: show the tree in FOLDER/tree, where it can be changed at will. Changes stay in memory.
lay_over() {
    mkdir -p "$2"
    mount -t tmpfs tmpfs "$2"
    mkdir "$2/changes" "$2/work" "$2/tree"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/tree"
}

# connect TREE: give it what pip and the network need on this machine.
connect() {
    cp -L /etc/resolv.conf "$1/etc/" || true
    [[ ! -f /etc/pip.conf ]] || cp /etc/pip.conf "$1/etc/"
    install -D -m 644 -t "$1/etc/ssl/certs" /etc/ssl/certs/ca-certificates.crt || true
    # Debian's packages make that file again, from these.
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$1/usr/local/share/ca-certificates/host.crt" || true
}

# enter TREE COMMAND...: run a command in it, with the checkout in /checkout, read-only.
enter() {
    # shellcheck disable=SC2016 # all of that is for the inner shell
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1 unshare --mount sh -euc '
        tree=$1 checkout=$2
        shift 2
        for folder in proc sys dev; do mount --rbind "/$folder" "$tree/$folder"; done
        [ ! -d "$tree/checkout" ] || mount --bind -o ro "$checkout" "$tree/checkout"
        exec chroot "$tree" "$@"' enter "$1" "$checkout" "${@:2}"
}

# debian SUITE ARCH PACKAGE...: set `kept` to a Debian with these packages.
debian() {
    local suite=$1 arch=$2
    shift 2
    keep "$suite-$arch" "debootstrap $*" bootstrap "$suite" "$arch" "$(IFS=, && echo "$*")"
}

bootstrap() { # SUITE ARCH PACKAGE,PACKAGE FOLDER
    debootstrap --arch="$2" --variant=minbase --include="$3" "$1" "$4"
    mkdir "$4/checkout"
    rm -rf "$4"/var/cache/apt/archives/*.deb
}

# dependencies: the part of pyproject.toml that names them, before the settings of tools.
dependencies() { sed '/^\[tool\./,$d' "$checkout/pyproject.toml"; }
