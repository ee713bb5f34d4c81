#!/usr/bin/env bash
# run.sh [SUITE [ARCH]]: install edge-pose in a booted Debian (bookworm or trixie), and see systemd supervise it.
# Of another architecture, such as arm64, nothing is booted: the installer alone is run, by emulation.
# Needs root, debootstrap and systemd-nspawn, and a network the first time: what it fetched is kept in a cache.
set -euo pipefail
suite=${1:-bookworm}
native=$(dpkg --print-architecture 2>/dev/null) || native=unknown
arch=${2:-$native}
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/edge-pose/$suite-$arch

skip() {
    echo "SKIPPED: nobody saw the installation and systemd at work ($suite, $arch): $*" >&2
    exit 0
}

# In a tree of its own for each call, which is laid over the cached one and thrown away.
lay_over() { # FOLDER: the tree is then in FOLDER/tree
    mkdir -p "$1"
    mount -t tmpfs tmpfs "$1"
    mkdir "$1/changes" "$1/work" "$1/tree"
    mount -t overlay overlay -o "lowerdir=$cache/tree,upperdir=$1/changes,workdir=$1/work" "$1/tree"
}

# Whatever this machine's pip and network need, the one in there needs as well.
connect() { # TREE
    cp /etc/resolv.conf "$1/etc/" || true
    [[ ! -f /etc/pip.conf ]] || cp /etc/pip.conf "$1/etc/"
    install -D -m 644 -t "$1/etc/ssl/certs" /etc/ssl/certs/ca-certificates.crt || true
    # Packages that are installed later make that file anew, of these.
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$1/usr/local/share/ca-certificates/host.crt" || true
}

make_tree() {
    if [[ ! -d $cache/tree ]]; then
        echo "making a Debian $suite in $cache …"
        rm -rf "$cache/new"
        mkdir -p "$cache"
        debootstrap --arch="$arch" --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,ca-certificates \
            "$suite" "$cache/new" >"$cache/log" ||
            skip "debootstrap failed, see $cache/log"
        # As the installer will ask for them, where there is no network any more.
        chroot "$cache/new" apt-get -qq install -y --download-only --no-install-recommends \
            python3 python3-venv python3-numpy udev mosquitto mosquitto-clients >>"$cache/log"
        mv "$cache/new" "$cache/tree"
    fi
}

fetch_wheels() {
    local stamp tree folder
    stamp=$(sha256sum <"$checkout/pyproject.toml")
    if [[ $(cat "$cache/wheels/stamp" 2>/dev/null) != "$stamp" ]]; then
        echo "fetching wheels for its Python …"
        folder=/run/edge-pose-wheels tree=/run/edge-pose-wheels/tree
        lay_over $folder
        rm -rf "$cache/wheels"
        mkdir -p "$cache/wheels" "$tree/checkout" "$tree/wheels"
        mount --bind -o ro "$checkout" "$tree/checkout"
        mount --bind "$cache/wheels" "$tree/wheels"
        mount -t proc proc "$tree/proc"
        connect "$tree"
        RUNLEVEL=1 chroot "$tree" apt-get -qq install -y --no-install-recommends python3-venv python3-numpy &>"$cache/log" ||
            skip "apt has no network, see $cache/log"
        chroot "$tree" bash -c '
            set -e
            python3 -m venv --system-site-packages /venv
            /venv/bin/python -c "import numpy; print(f\"numpy=={numpy.__version__}\")" >/constraints
            /venv/bin/pip -q wheel -c /constraints --wheel-dir /wheels "/checkout[video,demo]" hatchling editables
            rm -f /wheels/edge_pose-* /wheels/numpy-*' >"$cache/log" 2>&1 || {
            echo "FAIL  wheels that go with apt's numpy: pip finds none, see $cache/log"
            exit 1
        }
        umount -R $folder/tree
        umount $folder
        echo "$stamp" >"$cache/wheels/stamp"
    fi
}

emulate() {
    local tree=/run/edge-pose-emulated/tree
    lay_over /run/edge-pose-emulated
    mkdir "$tree/checkout"
    mount --bind -o ro "$checkout" "$tree/checkout"
    mount -t proc proc "$tree/proc"
    connect "$tree"
    try() { # NAME COMMAND...
        local name=$1
        shift
        if chroot "$tree" "$@" >"$cache/log" 2>&1; then echo "ok    $name"; else
            echo "FAIL  $name"
            tail -15 "$cache/log"
            exit 1
        fi
    }
    try "installs" /checkout/systemd/install.sh --broker-local
    try "with apt's numpy" /opt/edge-pose/bin/python -Ic 'import numpy; assert numpy.__file__.startswith("/usr/lib/python3/")'
    try "installs again" /checkout/systemd/install.sh
    try "--purge leaves nothing" bash -c '/checkout/systemd/install.sh --uninstall --purge && [[ ! -e /opt/edge-pose.a && ! -e /etc/edge-pose ]]'
}

boot() {
    local folder=/run/edge-pose-boot leader='' child group state='' rc=0
    lay_over $folder
    # Ours alone, and of the new kind: some hosts still have the old one.
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    group=/sys/fs/cgroup/edge-pose-$$
    mkdir "$group"
    echo $$ >"$group/cgroup.procs"
    systemd-nspawn --quiet -D $folder/tree --boot --console=pipe --register=no --keep-unit --private-network \
        --capability=all --system-call-filter=bpf --bind-ro="$checkout:/checkout" --bind-ro="$cache/wheels:/wheels" \
        systemd.unit=multi-user.target </dev/null >"$cache/boot.log" 2>&1 &
    nspawn=$!
    # Its first child only prepares; the one to wait for is systemd.
    for _ in {1..200}; do
        for child in $(pgrep -P "$nspawn"); do
            [[ $(cat "/proc/$child/comm" 2>/dev/null) != systemd ]] || leader=$child
        done
        [[ ! $leader ]] || break
        sleep 0.05
    done
    [[ $leader ]] || skip "systemd-nspawn did not start, see $cache/boot.log"
    enter() { nsenter --target "$leader" --all -- "$@"; }
    for _ in {1..300}; do
        state=$(enter systemctl is-system-running 2>/dev/null) || true
        [[ $state != running && $state != degraded ]] || break
        sleep 0.1
    done
    echo "booted $suite: $(enter systemctl --version | head -1), $state"
    enter env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root bash /checkout/tests/systemd/inside.sh || rc=$?
    enter systemctl poweroff --force --force 2>/dev/null || true
    for _ in {1..100}; do
        kill -0 "$nspawn" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$nspawn" 2>/dev/null || true
    wait "$nspawn" 2>/dev/null || true
    echo $$ >/sys/fs/cgroup/cgroup.procs
    find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    return "$rc"
}

if [[ ! ${EDGE_POSE_IN_OWN_MOUNTS-} ]]; then
    ((EUID == 0)) || skip "it needs root"
    for program in debootstrap systemd-nspawn nsenter unshare; do
        command -v "$program" >/dev/null || "$checkout/tests/apt.sh" debootstrap systemd-container ||
            skip "it needs $program"
    done
    [[ $arch == "$native" ]] || grep -qs enabled /proc/sys/fs/binfmt_misc/qemu-* ||
        skip "no emulator for $arch; Debian 13's qemu-user-binfmt is one (version 7 of Debian 12 does not run LiteRT)"
    unshare --mount true 2>/dev/null || skip "this container may not mount anything"
    EDGE_POSE_IN_OWN_MOUNTS=1 exec unshare --mount --propagation private bash "${BASH_SOURCE[0]}" "$suite" "$arch"
fi
mount -t tmpfs tmpfs /run # systemd-nspawn wants one, and it is a place that goes away with us
mkdir /run/systemd
make_tree
if [[ $arch == "$native" ]]; then
    fetch_wheels
    boot
else
    emulate
fi
