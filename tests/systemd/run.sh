#!/usr/bin/env bash
# run.sh [SUITE [ARCH]]: install edge-pose in a booted Debian (bookworm or trixie), and see systemd supervise it.
# Of another architecture (arm64 or armhf), nothing is booted: the installer and a few frames are run, by emulation.
# Needs root, debootstrap and systemd-nspawn, and a network the first time: what it fetched is kept in a cache.
# What `try` is given is for the other system's shell:
# shellcheck disable=SC2016
set -euo pipefail
suite=${1:-bookworm}
native=$(dpkg --print-architecture 2>/dev/null) || native=unknown
arch=${2:-$native}
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
all=${XDG_CACHE_HOME:-$HOME/.cache}/edge-pose
cache=$all/$suite-$arch

skip() {
    echo "SKIPPED: nobody saw the installation and systemd at work ($suite, $arch): $*" >&2
    exit 0
}

# In a tree of its own for each call, which is laid over the cached one and thrown away.
lay_over() { # FOLDER CACHE: the tree is then in FOLDER/tree
    mkdir -p "$1"
    mount -t tmpfs tmpfs "$1"
    mkdir "$1/changes" "$1/work" "$1/tree"
    mount -t overlay overlay -o "lowerdir=$2/tree,upperdir=$1/changes,workdir=$1/work" "$1/tree"
}

# Whatever this machine's pip and network need, the one in there needs as well.
connect() { # TREE
    cp /etc/resolv.conf "$1/etc/" || true
    [[ ! -f /etc/pip.conf ]] || cp /etc/pip.conf "$1/etc/"
    install -D -m 644 -t "$1/etc/ssl/certs" /etc/ssl/certs/ca-certificates.crt || true
    # Packages that are installed later make that file anew, of these.
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$1/usr/local/share/ca-certificates/host.crt" || true
}

make_tree() { # SUITE ARCH
    local cache=$all/$1-$2 packages=(python3 python3-venv python3-numpy udev mosquitto mosquitto-clients)
    [[ $2 != armhf ]] || packages+=(python3-pil python3-dev gcc libc6-dev)
    if [[ ! -d $cache/tree ]]; then
        echo "making a Debian $1 for $2 in $cache …"
        rm -rf "$cache/new"
        mkdir -p "$cache"
        debootstrap --arch="$2" --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,ca-certificates \
            "$1" "$cache/new" >"$cache/log" ||
            skip "debootstrap failed, see $cache/log"
        # As the installer will ask for them, where there is no network any more.
        chroot "$cache/new" apt-get -qq install -y --download-only --no-install-recommends "${packages[@]}" >>"$cache/log"
        mv "$cache/new" "$cache/tree"
    fi
}

fetch_wheels() {
    local stamp tree folder
    stamp=$(sha256sum <"$checkout/pyproject.toml")
    if [[ $(cat "$cache/wheels/stamp" 2>/dev/null) != "$stamp" ]]; then
        echo "fetching wheels for its Python …"
        folder=/run/edge-pose-wheels tree=/run/edge-pose-wheels/tree
        lay_over $folder "$cache"
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

# Have the kernel run programs of the other architecture, for as long as we run. Always by the emulator of Debian 13,
# whichever is there already: the one of Debian 12 crashes in LiteRT.
emulator() {
    local qemu=$all/qemu name=edge-pose-$arch formats=/proc/sys/fs/binfmt_misc program tree=/run/edge-pose-qemu/tree
    case $arch in
        arm64) program=aarch64 ;;
        armhf) program=arm ;;
        *) skip "there is an emulator for arm64 and armhf alone" ;;
    esac
    if [[ ! -d $qemu ]]; then
        make_tree trixie "$native"
        echo "fetching Debian 13's emulator …"
        lay_over /run/edge-pose-qemu "$all/trixie-$native"
        connect "$tree"
        chroot "$tree" sh -c 'apt-get -qq update && cd /tmp && apt-get -qq -o APT::Sandbox::User=root download qemu-user' \
            &>"$all/trixie-$native/log" || skip "apt has no qemu-user, see $all/trixie-$native/log"
        rm -rf "$qemu.new"
        dpkg-deb -x "$tree"/tmp/qemu-user_*.deb "$qemu.new"
        mv "$qemu.new" "$qemu"
    fi
    [[ -w $formats/register ]] || mount -t binfmt_misc binfmt_misc $formats ||
        skip "this kernel runs no programs of other architectures (binfmt_misc)"
    [[ ! -e $formats/$name ]] || echo -1 >"$formats/$name" # of a run that was killed
    sed "s|^:[^:]*:|:$name:|; s|:/usr/|:$qemu/usr/|" "$qemu/usr/share/qemu/binfmt.d/qemu-$program.conf" >$formats/register
    trap 'echo -1 >"/proc/sys/fs/binfmt_misc/edge-pose-$arch"' EXIT
}

emulate() {
    local tree=/run/edge-pose-emulated/tree
    lay_over /run/edge-pose-emulated "$cache"
    mkdir -p "$tree/checkout" "$tree/root/.cache/pip" "$cache/pip"
    mount --bind -o ro "$checkout" "$tree/checkout"
    mount --bind "$cache/pip" "$tree/root/.cache/pip"
    mount -t proc proc "$tree/proc"
    mount -t devpts devpts "$tree/dev/pts"
    connect "$tree"
    try() { # NAME COMMAND...
        local name=$1 began=$SECONDS
        shift
        if chroot "$tree" "$@" >"$cache/log" 2>&1; then echo "ok    $name ($((SECONDS - began)) s)"; else
            echo "FAIL  $name"
            tail -15 "$cache/log"
            exit 1
        fi
    }
    if [[ $suite-$arch == trixie-armhf ]]; then # for whose Python there is no runtime
        try "refuses in one line, and changes nothing" bash -c 'all() { find /etc /opt /usr -printf "%p %T@\n" | sort; }
            before=$(all); said=$(/checkout/systemd/install.sh 2>&1); rc=$?; echo "$said"
            [[ $rc == 1 && $(wc -l <<<"$said") == 1 && $said == *" 64-bit system"* ]] && diff <(echo "$before") <(all)'
        return
    fi
    try "installs" /checkout/systemd/install.sh --broker-local
    cp "$cache/log" "$cache/installed.log"
    try "with apt's numpy" /opt/edge-pose/bin/python -Ic 'import numpy; assert numpy.__file__.startswith("/usr/lib/python3/")'
    try "sees somebody, and publishes it" bash -c 'edge-pose demo --frames 3 | tee /dev/stderr | grep -q LEFT_HIP'
    try "installs again, and changes nothing" bash -c 'all() { find /opt /etc -not -type d -printf "%p %T@\n" | sort; }
        before=$(all) && /checkout/systemd/install.sh && diff <(echo "$before") <(all)'
    try "upgrades" bash -c '/checkout/systemd/install.sh --upgrade && [[ $(readlink /opt/edge-pose) == edge-pose.b ]]'
    try "--purge leaves nothing" bash -c '/checkout/systemd/install.sh --uninstall --purge && ! id edge-pose &&
        ! getent group apex && [[ ! $(find /etc /opt /var/lib /usr/local -name "*edge-pose*") ]]'
}

boot() {
    local folder=/run/edge-pose-boot leader='' child group state='' rc=0
    lay_over $folder "$cache"
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
        command -v "$program" >/dev/null || "$checkout/tests/support/apt.sh" debootstrap systemd-container ||
            skip "it needs $program"
    done
    unshare --mount true 2>/dev/null || skip "this container may not mount anything"
    EDGE_POSE_IN_OWN_MOUNTS=1 exec unshare --mount --propagation private bash "${BASH_SOURCE[0]}" "$suite" "$arch"
fi
mount -t tmpfs tmpfs /run # systemd-nspawn wants one, and it is a place that goes away with us
mkdir /run/systemd
[[ $arch == "$native" ]] || emulator
make_tree "$suite" "$arch"
if [[ $arch == "$native" ]]; then
    fetch_wheels
    boot
else
    emulate
fi
