#!/usr/bin/env bash
# run.sh [SUITE [ARCH]]: install edge-pose in a booted Debian (bookworm or trixie), and see systemd supervise it.
# Of another architecture (arm64 or armhf), nothing is booted: the installer and a few frames are run, by emulation.
# Needs root, debootstrap and systemd-nspawn, and a network the first time: what it fetched is kept in a cache.
# What `try` is given is for the other system's shell:
# shellcheck disable=SC2016
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/support/trees.sh
source "$checkout/tests/support/trees.sh"
suite=${1:-bookworm}
native=$(dpkg --print-architecture 2>/dev/null) || native=unknown
arch=${2:-$native}

skip() {
    echo "SKIPPED: the installation and systemd were not tested ($suite, $arch): $*" >&2
    exit 0
}

# A Debian with the packages that the installer asks for in apt's cache, as it has no network when it is booted.
with_packages() { # FOLDER
    local packages=(python3 python3-venv python3-numpy udev mosquitto mosquitto-clients)
    [[ $arch != armhf ]] || packages+=(python3-pil python3-dev gcc libc6-dev)
    cp -a "$base/." "$1"
    connect "$1"
    enter "$1" apt-get -qq update
    enter "$1" apt-get -qq install -y --download-only --no-install-recommends "${packages[@]}"
}

wheels() { # FOLDER
    local tree=/run/edge-pose-wheels/tree
    lay_over "$base" /run/edge-pose-wheels
    connect "$tree"
    mkdir "$tree/wheels"
    mount --bind "$1" "$tree/wheels"
    enter "$tree" env RUNLEVEL=1 apt-get -qq install -y --no-install-recommends python3-venv python3-numpy
    enter "$tree" bash -ec '
        python3 -m venv --system-site-packages /venv
        /venv/bin/python -c "import numpy; print(f\"numpy=={numpy.__version__}\")" >/constraints
        /venv/bin/pip -q wheel --no-cache-dir -c /constraints --wheel-dir /wheels "/checkout[video,demo]" hatchling editables
        rm -f /wheels/edge_pose-* /wheels/numpy-*' || exit 3 # pip finds none that go with apt's numpy
    umount "$tree/wheels"
    umount -R /run/edge-pose-wheels
}

# Have the kernel run programs of the other architecture, for as long as we run. Always by the emulator of Debian 13:
# the one of Debian 12 crashes in LiteRT.
emulator() {
    local name=edge-pose-$arch formats=/proc/sys/fs/binfmt_misc program
    case $arch in
        arm64) program=aarch64 ;;
        armhf) program=arm ;;
        *) skip "there is an emulator for arm64 and armhf only" ;;
    esac
    debian trixie "$native" ca-certificates
    base=$kept
    keep qemu "$base" fetch_qemu
    [[ -w $formats/register ]] || mount -t binfmt_misc binfmt_misc $formats ||
        skip "this kernel runs no programs of other architectures (binfmt_misc)"
    [[ ! -e $formats/$name ]] || echo -1 >"$formats/$name" # of a run that was killed
    sed "s|^:[^:]*:|:$name:|; s|:/usr/|:$kept/usr/|" "$kept/usr/share/qemu/binfmt.d/qemu-$program.conf" >$formats/register
    trap 'echo -1 >"/proc/sys/fs/binfmt_misc/edge-pose-$arch"' EXIT
}

fetch_qemu() { # FOLDER
    lay_over "$base" /run/edge-pose-qemu
    connect /run/edge-pose-qemu/tree
    enter /run/edge-pose-qemu/tree sh -c 'apt-get -qq update &&
        cd /tmp && apt-get -qq -o APT::Sandbox::User=root download qemu-user'
    dpkg-deb -x /run/edge-pose-qemu/tree/tmp/qemu-user_*.deb "$1"
    umount -R /run/edge-pose-qemu
}

emulate() {
    local tree=/run/edge-pose-emulated/tree log=/run/edge-pose-log
    lay_over "$base" /run/edge-pose-emulated
    mkdir -p "$tree/root/.cache/pip" "$cache/pip"
    mount --bind -o ro "$checkout" "$tree/checkout"
    mount --bind "$cache/pip" "$tree/root/.cache/pip"
    mount -t proc proc "$tree/proc"
    mount -t devpts devpts "$tree/dev/pts"
    connect "$tree"
    try() { # NAME COMMAND...
        local name=$1 began=$SECONDS
        shift
        if chroot "$tree" "$@" >"$log" 2>&1; then echo "ok    $name ($((SECONDS - began)) s)"; else
            echo "FAIL  $name"
            tail -15 "$log"
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
    try "with apt's numpy" /opt/edge-pose/bin/python -Ic 'import numpy; assert numpy.__file__.startswith("/usr/lib/python3/")'
    try "finds a person, and publishes it" bash -c 'edge-pose demo --frames 3 | tee /dev/stderr | grep -q LEFT_HIP'
    try "installs again, and changes nothing" bash -c 'all() { find /opt /etc -not -type d -printf "%p %T@\n" | sort; }
        before=$(all) && /checkout/systemd/install.sh && diff <(echo "$before") <(all)'
    try "upgrades" bash -c '/checkout/systemd/install.sh --upgrade && [[ $(readlink /opt/edge-pose) == edge-pose.b ]]'
    try "--purge leaves nothing" bash -c '/checkout/systemd/install.sh --uninstall --purge && ! id edge-pose &&
        ! getent group apex && [[ ! $(find /etc /opt /var/lib /usr/local -name "*edge-pose*") ]]'
}

boot() {
    local folder=/run/edge-pose-boot log=$cache/boot.log leader='' child group state='' rc=0
    lay_over "$base" $folder
    # Version 2, for us only: some hosts still have version 1.
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    group=/sys/fs/cgroup/edge-pose-$$
    mkdir "$group"
    echo $$ >"$group/cgroup.procs"
    systemd-nspawn --quiet -D $folder/tree --boot --console=pipe --register=no --keep-unit --private-network \
        --capability=all --system-call-filter=bpf --bind-ro="$checkout:/checkout" --bind-ro="$wheels:/wheels" \
        systemd.unit=multi-user.target </dev/null >"$log" 2>&1 &
    nspawn=$!
    # Its first child only prepares; the one to wait for is systemd.
    for _ in {1..1200}; do
        for child in $(pgrep -P "$nspawn"); do
            [[ $(cat "/proc/$child/comm" 2>/dev/null) != systemd ]] || leader=$child
        done
        [[ ! $leader ]] || break
        sleep 0.05
    done
    [[ $leader ]] || skip "systemd-nspawn did not start, see $log"
    inside() { nsenter --target "$leader" --all -- "$@"; }
    for _ in {1..1200}; do
        state=$(inside systemctl is-system-running 2>/dev/null) || true
        [[ $state != running && $state != degraded ]] || break
        sleep 0.1
    done
    echo "booted $suite: $(inside systemctl --version | head -1), $state"
    inside env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root bash /checkout/tests/systemd/inside.sh || rc=$?
    inside systemctl poweroff --force --force 2>/dev/null || true
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

for program in systemd-nspawn nsenter; do
    command -v "$program" >/dev/null || "$checkout/tests/support/apt.sh" systemd-container || skip "it needs $program"
done
own_mounts "${BASH_SOURCE[0]}" "$suite" "$arch"
mkdir /run/systemd # systemd-nspawn wants it
[[ $arch == "$native" ]] || emulator
debian "$suite" "$arch" systemd systemd-sysv dbus iproute2 ca-certificates
base=$kept
keep "installer-$suite-$arch" "$base $(declare -f with_packages)" with_packages
base=$kept
if [[ $arch == "$native" ]]; then
    keep "wheels-$suite-$arch" "$base $(declare -f wheels) $(dependencies)" wheels
    wheels=$kept
    boot
else
    emulate
fi
