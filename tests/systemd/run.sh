#!/usr/bin/env bash
# run.sh [SUITE [ARCH]]: install edge-pose in a booted Debian (bookworm or trixie), and test the service under systemd.
# For another architecture (arm64 or armhf), boot nothing, and run the installer and a few frames in an emulator.
# Needs root, debootstrap and systemd-nspawn. Needs a network for the first run, and keeps its downloads in a cache.
# The single quotes are for the shell in the other system, hence:
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

# with_packages FOLDER: create a Debian with the installer's packages in apt's cache, because it boots without a network.
with_packages() {
    local packages=(python3 python3-venv python3-numpy udev mosquitto mosquitto-clients)
    [[ $arch != armhf ]] || packages+=(python3-pil python3-dev gcc libc6-dev)
    cp -a "$base/." "$1"
    connect "$1"
    enter "$1" apt-get -qq update
    enter "$1" apt-get -qq install -y --download-only --no-install-recommends "${packages[@]}"
}

# wheels FOLDER: build the wheels of all dependencies.
wheels() {
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
        rm -f /wheels/edge_pose-* /wheels/numpy-*' || exit 3 # pip found no versions that work with apt's numpy
    umount "$tree/wheels"
    umount -R /run/edge-pose-wheels
}

# Let the kernel run programs of the other architecture until this script ends. Always use Debian 13's emulator, because
# Debian 12's crashes in LiteRT.
register_emulator() {
    local name=edge-pose-$arch formats=/proc/sys/fs/binfmt_misc program
    case $arch in
        arm64) program=aarch64 ;;
        armhf) program=arm ;;
        *) skip "only arm64 and armhf can be emulated" ;;
    esac
    debian trixie "$native" ca-certificates
    base=$kept
    keep qemu "$base" fetch_qemu
    [[ -w $formats/register ]] || mount -t binfmt_misc binfmt_misc $formats ||
        skip "this kernel cannot run programs of other architectures (no binfmt_misc)"
    [[ ! -e $formats/$name ]] || echo -1 >"$formats/$name" # left by a run that was killed
    sed "s|^:[^:]*:|:$name:|; s|:/usr/|:$kept/usr/|" "$kept/usr/share/qemu/binfmt.d/qemu-$program.conf" >$formats/register
    trap 'echo -1 >"/proc/sys/fs/binfmt_misc/edge-pose-$arch"' EXIT
}

# fetch_qemu FOLDER: unpack Debian's qemu-user.
fetch_qemu() {
    lay_over "$base" /run/edge-pose-qemu
    connect /run/edge-pose-qemu/tree
    enter /run/edge-pose-qemu/tree sh -c 'apt-get -qq update &&
        cd /tmp && apt-get -qq -o APT::Sandbox::User=root download qemu-user'
    dpkg-deb -x /run/edge-pose-qemu/tree/tmp/qemu-user_*.deb "$1"
    umount -R /run/edge-pose-qemu
}

run_emulated() {
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
    if [[ $suite-$arch == trixie-armhf ]]; then # there is no runtime for this system's Python
        try "the installer refuses in one line, and changes nothing" bash -c 'all() { find /etc /opt /usr -printf "%p %T@\n" | sort; }
            before=$(all); output=$(/checkout/systemd/install.sh 2>&1); rc=$?; echo "$output"
            [[ $rc == 1 && $(wc -l <<<"$output") == 1 && $output == *" 64-bit system"* ]] && diff <(echo "$before") <(all)'
        return
    fi
    try "the installer works" /checkout/systemd/install.sh --broker-local
    try "the environment uses apt's numpy" /opt/edge-pose/bin/python -Ic 'import numpy; assert numpy.__file__.startswith("/usr/lib/python3/")'
    try "edge-pose detects and publishes a person" bash -c 'edge-pose demo --source synthetic:walk --frames 3 | tee /dev/stderr | grep -q LEFT_HIP'
    try "a second installation changes nothing" bash -c 'all() { find /opt /etc -not -type d -printf "%p %T@\n" | sort; }
        before=$(all) && /checkout/systemd/install.sh && diff <(echo "$before") <(all)'
    try "the upgrade works" bash -c '/checkout/systemd/install.sh --upgrade && [[ $(readlink /opt/edge-pose) == edge-pose.b ]]'
    try "--purge leaves nothing" bash -c '/checkout/systemd/install.sh --uninstall --purge && ! id edge-pose &&
        ! getent group apex && [[ ! $(find /etc /opt /var/lib /usr/local -name "*edge-pose*") ]]'
}

run_booted() {
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
    # Its first child only prepares the container. Wait for the child that is systemd.
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
    command -v "$program" >/dev/null || "$checkout/tests/support/apt.sh" systemd-container || skip "$program is not installed"
done
own_mounts "${BASH_SOURCE[0]}" "$suite" "$arch"
mkdir /run/systemd # systemd-nspawn needs it
[[ $arch == "$native" ]] || register_emulator
debian "$suite" "$arch" systemd systemd-sysv dbus iproute2 ca-certificates
base=$kept
keep "installer-$suite-$arch" "$base $(declare -f with_packages)" with_packages
base=$kept
if [[ $arch == "$native" ]]; then
    keep "wheels-$suite-$arch" "$base $(declare -f wheels) $(dependencies)" wheels
    wheels=$kept
    run_booted
else
    run_emulated
fi
