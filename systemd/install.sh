#!/usr/bin/env bash
# Install, upgrade or remove edge-pose on Raspberry Pi OS or Debian, 12 or 13.
#
#   sudo ./systemd/install.sh [--broker-local] [--wheelhouse DIR]   install; what is there already is kept
#   sudo ./systemd/install.sh --upgrade [--wheelhouse DIR]          build this checkout, switch to it, and go back to
#                                                                   the old one if the daemon does not come up
#   sudo ./systemd/install.sh --uninstall [--purge]                 remove it; --purge: configuration and models too
#
#   --broker-local     install mosquitto on this machine, with a password for the user edge-pose
#   --wheelhouse DIR   take Python packages from that folder, and nothing from the network
#   --dry-run          print what would be done, and change nothing
#
# The program goes to /opt/edge-pose, the configuration to /etc/edge-pose, models to /var/lib/edge-pose.
set -euo pipefail

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON=/usr/bin/python3 # apt's, as apt's numpy and picamera2 are for that one alone
PREFIX=/opt/edge-pose # a link to one of two environments, so that there is always one to go back to
ETC=/etc/edge-pose
CONFIG=$ETC/edge-pose.toml
PASSWORD=$ETC/mqtt_password
BROKER_CONFIG=/etc/mosquitto/conf.d/edge-pose.conf
BROKER_USERS=/etc/mosquitto/edge-pose.passwd
BROKER_ACL=/etc/mosquitto/edge-pose.acl
START_S=120 # as long as a daemon may take to be ready, and some
LOCK_S=300 # as long as another apt is waited for: a machine that has just booted may be upgrading itself

action=install upgrade='' purge='' dry='' broker='' wheelhouse=''
fresh_config='' changed=''

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}
run() { if [[ $dry ]]; then say "would run: $*"; else "$@"; fi; }

# put MODE FILE: write standard input to FILE, unless it says the same already.
put() {
    local content
    content=$(cat; printf x) # or the shell would drop the last newline
    content=${content%x}
    if [[ -f $2 ]] && printf %s "$content" | cmp -s - "$2"; then return; fi
    changed=1
    if [[ $dry ]]; then say "would write: $2"; else printf %s "$content" | install -D -m "$1" /dev/stdin "$2"; fi
}

# Whether a systemd runs here that can be talked to; not so in a chroot or a container without one.
booted() { [[ -d /run/systemd/system ]] && ! systemd-detect-virt --quiet --chroot; }

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
offered() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

parse() {
    while (($#)); do
        case $1 in
            --upgrade) upgrade=1 ;;
            --uninstall) action=uninstall ;;
            --purge) purge=1 ;;
            --dry-run) dry=1 ;;
            --broker-local) broker=1 ;;
            --wheelhouse)
                [[ -d ${2-} ]] || fail "--wheelhouse: there is no folder «${2-}»; name one with wheels"
                wheelhouse=$(cd "$2" && pwd)
                shift
                ;;
            -h | --help)
                sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
                exit 0
                ;;
            *) fail "what is «$1»? See --help" ;;
        esac
        shift
    done
    [[ ! $purge || $action == uninstall ]] || fail "--purge goes with --uninstall"
}

# The Python that is there, or else the one that apt would bring, if it knows one yet.
python_fits() {
    local version
    version=$($PYTHON -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        version=$(apt-cache policy python3 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]*\.[0-9]*\).*/\1/p')
    [[ $version ]] || return 0
    [[ $version =~ ^3\.1[1-9]$ ]] || fail "Python $version is too old; use Debian 12 or newer"
    [[ $arch != armhf || $version == 3.11 ]] ||
        fail "there is no 32-bit TFLite for Python $version; use Debian 12, or a 64-bit system"
}

# Everything that can be known to be in the way, before anything is changed.
preflight() {
    command -v apt-get >/dev/null || fail "this is for Debian and Raspberry Pi OS, which have apt-get"
    [[ $dry || $EUID == 0 ]] || fail "this needs root; do: sudo $0"
    arch=$(dpkg --print-architecture)
    case $arch in
        amd64 | arm64) ;;
        armhf) [[ $(uname -m) != armv6l ]] || fail "there is no TFLite for this processor (ARMv6); use a Pi 2 or newer" ;;
        *) fail "there is no TFLite for $arch; use amd64, arm64 or armhf" ;;
    esac
    python_fits
    if [[ $broker && ! -f $BROKER_CONFIG ]]; then
        local own
        own=$(grep -lsE '^ *(listener|port|password_file|acl_file|allow_anonymous|per_listener_settings)\b' \
            /etc/mosquitto/mosquitto.conf /etc/mosquitto/conf.d/*.conf | head -1) || true
        [[ ! $own ]] || fail "--broker-local: mosquitto is configured already in $own; add a user for edge-pose there"
    fi
}

# apt waits for other apts by itself, but not where it reads its list of packages.
update_list() {
    local said end=$((SECONDS + LOCK_S)) update=(env LC_ALL=C apt-get -qq update) told=''
    [[ ! $dry ]] || { run "${update[@]}"; return; }
    until said=$("${update[@]}" 2>&1); do
        if [[ $said != *lists/lock* ]] || ((SECONDS >= end)); then
            say "$said" >&2
            return 1
        fi
        [[ $told ]] || say "another apt is at work: waiting for it, for $LOCK_S s at most …"
        told=1
        sleep 5
    done
    [[ ! $said ]] || say "$said" >&2
}

packages() {
    local wanted=(python3 python3-venv python3-numpy systemd udev) missing=() name
    # PyPI has no 32-bit wheels for these: apt's are taken, and what apt has not is compiled.
    [[ $arch != armhf ]] || wanted+=(python3-pil python3-dev gcc libc6-dev)
    [[ ! $broker ]] || wanted+=(mosquitto mosquitto-clients)
    for name in "${wanted[@]}"; do installed "$name" || missing+=("$name"); done
    if ((${#missing[@]})) || { ! installed python3-picamera2 && [[ ! $wheelhouse ]]; }; then
        say "asking apt for its list of packages …"
        update_list || say "apt has no new list: going on with the old one"
        python_fits
    fi
    if ! installed python3-picamera2 && offered python3-picamera2; then missing+=(python3-picamera2); fi
    ((${#missing[@]})) || return 0
    say "installing with apt: ${missing[*]}"
    local environment=(DEBIAN_FRONTEND=noninteractive) quiet=/dev/null
    booted || environment+=(RUNLEVEL=1) # keeps services from being started where nobody supervises them
    [[ ! $dry ]] || quiet=/dev/stdout
    run env "${environment[@]}" apt-get -qq -o DPkg::Lock::Timeout=$LOCK_S install -y --no-install-recommends \
        "${missing[@]}" >"$quiet" ||
        fail "apt-get install failed (see above); mend that, and run this again"
}

# put_files DIR: units, account, folders and device rules, from a checkout or from an environment.
put_files() {
    changed=''
    put 644 /etc/systemd/system/edge-pose.service <"$1/edge-pose.service"
    put 644 /etc/systemd/system/edge-pose@.service <"$1/edge-pose@.service"
    put 644 /etc/sysusers.d/edge-pose.conf <"$1/edge-pose.sysusers"
    put 644 /etc/tmpfiles.d/edge-pose.conf <"$1/edge-pose.tmpfiles"
    put 644 /etc/udev/rules.d/65-edge-pose.rules <"$1/edge-pose.rules"
    run systemd-sysusers /etc/sysusers.d/edge-pose.conf
    run systemd-tmpfiles --create /etc/tmpfiles.d/edge-pose.conf
    if booted; then
        run systemctl daemon-reload
    fi
    if booted && [[ -S /run/udev/control ]]; then # which containers do not have
        run udevadm control --reload || true
        run udevadm trigger --subsystem-match=usb --subsystem-match=apex || true
    fi
}

configuration() {
    if [[ -e $CONFIG ]] && ! { [[ $broker ]] && cmp -s "$CHECKOUT/config/edge-pose.toml" "$CONFIG"; }; then
        say "$CONFIG is yours and stays as it is"
        return
    fi
    fresh_config=1
    local edit=()
    [[ ! $broker ]] || edit=(-e 's/^host = ""/host = "127.0.0.1"/' -e 's/^username = ""/username = "edge-pose"/')
    sed "${edit[@]}" -e '' "$CHECKOUT/config/edge-pose.toml" | put 644 "$CONFIG"
}

local_broker() {
    local secret=''
    if [[ ! -s $PASSWORD || ! -f $BROKER_USERS ]]; then
        if [[ -s $PASSWORD ]]; then secret=$(<"$PASSWORD"); else secret=$(head -c 18 /dev/urandom | base64); fi
        put 600 "$PASSWORD" <<<"$secret"
        if [[ $dry ]]; then
            say "would write: $BROKER_USERS"
        else
            # Hashed in place: on a command line, everybody could read the password.
            install -m 600 /dev/stdin "$BROKER_USERS.new" <<<"edge-pose:$secret"
            mosquitto_passwd -U "$BROKER_USERS.new"
            mv "$BROKER_USERS.new" "$BROKER_USERS"
        fi
    fi
    changed=$secret # a new password is a change, too
    put 600 "$BROKER_ACL" <<<"# Who may do what on this broker. One more user: mosquitto_passwd $BROKER_USERS NAME
user edge-pose
topic readwrite edge-pose/#"
    put 644 "$BROKER_CONFIG" <<<"# Made by edge-pose's install.sh --broker-local
listener 1883
allow_anonymous false
password_file $BROKER_USERS
acl_file $BROKER_ACL"
    # Read again, as its own user, whenever mosquitto is reloaded.
    run chown mosquitto: "$BROKER_USERS" "$BROKER_ACL"
    run systemctl --quiet enable mosquitto
    if booted && [[ $changed ]]; then run systemctl restart mosquitto; fi
}

# build_environment DIR: a venv with the package of this checkout, in which apt's numpy and picamera2 are the ones used.
build_environment() {
    local dir=$1 pip=("$1/bin/python" -m pip --quiet --disable-pip-version-check --no-input install) package=$CHECKOUT
    local extras=video,demo numpy rest=()
    [[ $arch != armhf ]] || extras=demo # PyPI has no PyAV for 32 bits
    numpy=$($PYTHON -Ic 'import numpy; print(numpy.__version__)' 2>/dev/null) || numpy=
    pip+=(--constraint "$dir/constraints.txt")
    if [[ $wheelhouse ]]; then
        pip+=(--no-index --find-links "$wheelhouse")
        package=$(find "$wheelhouse" -maxdepth 1 -name 'edge_pose-*.whl' | sort -V | tail -1)
        package=${package:-$CHECKOUT}
        extras=''
        if compgen -G "$wheelhouse/av-*.whl" >/dev/null && [[ $arch != armhf ]]; then extras=video; fi
        if compgen -G "$wheelhouse/iotcore-*.whl" >/dev/null; then extras+=${extras:+,}demo; fi
        say "from the wheelhouse: ${package##*/}, extras: ${extras:-none, as it has no wheels of av and iotcore}"
    fi
    say "building the environment in $dir; this takes a minute or more …"
    run rm -rf "$dir"
    run $PYTHON -m venv --system-site-packages "$dir" &&
        { echo "numpy==$numpy" | put 644 "$dir/constraints.txt"; } || return 1
    if [[ $arch == armhf ]]; then
        # Its metadata ask for LiteRT wherever the kernel is a 64-bit one, as it is on 32-bit Raspberry Pi OS.
        run "${pip[@]}" --no-deps "$package" || return 1
        [[ $dry ]] || mapfile -t rest < <("$dir/bin/python" -Ic '
from importlib.metadata import requires
for line in requires("edge-pose"):
    if "extra" not in line and "litert" not in line:
        print(line.partition(";")[0])')
        run "${pip[@]}" "${rest[@]}" iotcore || return 1
    else
        run "${pip[@]}" "$package${extras:+[$extras]}" || return 1
    fi
    run install -D -m 644 -t "$dir/share/edge-pose" "$CHECKOUT"/systemd/edge-pose* || return 1
    [[ $dry ]] || { examine "$dir" && try_out "$dir"; }
}

# examine DIR: say which numpy, runtime and picamera2 there are; fails if numpy is not apt's.
examine() {
    "$1/bin/python" -I - <<'PY'
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy

apt = numpy.__file__.startswith("/usr/lib/python3/")
print(f"numpy {numpy.__version__} from {numpy.__file__.rpartition('/numpy/')[0]}" + ", which is apt's" * apt)
for runtime in ("ai-edge-litert", "tflite-runtime"):
    try:
        print(f"{runtime} {version(runtime)}")
    except PackageNotFoundError:
        pass
try:
    import picamera2  # noqa: F401
    print("picamera2 can be imported: the Pi's own camera can be used")
except Exception as exc:
    print(f"picamera2 cannot be imported ({exc}): the Pi's own camera cannot be used, other sources can")
if not apt:
    sys.exit("install.sh: that numpy is not apt's, which picamera2 needs")
PY
}

# try_out DIR: see somebody in a painted picture, with all that the daemon needs but camera and broker.
try_out() {
    local folder done=0
    folder=$(mktemp -d)
    "$1/bin/edge-pose" annotate synthetic:walk "$folder/seen.png" &>"$folder/said" || done=$?
    ((done == 0)) || cat "$folder/said" >&2
    rm -r "$folder"
    return "$done"
}

point_to() { # DIR: from now on, that is the environment that counts
    run ln -sfn "${1##*/}" "$PREFIX.new"
    run mv -T "$PREFIX.new" "$PREFIX"
}

running_units() {
    booted || return 0
    systemctl list-units --plain --no-legend --state=active,reloading 'edge-pose.service' 'edge-pose@*.service' |
        awk '{print $1}'
}

came_up() { # UNIT...: restart them, and wait until they are ready
    local unit
    for unit in "$@"; do
        say "starting $unit, and waiting until it is ready …"
        run timeout "$START_S" systemctl restart "$unit" || return 1
    done
}

complaint() { # UNIT...: what they said last
    for unit in "$@"; do journalctl --quiet --no-pager -u "$unit" -n 5 -o cat | sed 's/^/    /'; done
}

install_program() {
    local now='' next=$PREFIX.a units=()
    if [[ -L $PREFIX ]]; then
        now=$(dirname "$PREFIX")/$(readlink "$PREFIX")
    elif [[ -d $PREFIX ]]; then # from before there were two
        run mv "$PREFIX" "$PREFIX.b"
        point_to "$PREFIX.b"
        now=$PREFIX.b
    fi
    if [[ $now && ! $upgrade ]] && "$PREFIX/bin/edge-pose" --version 2>/dev/null && examine "$PREFIX"; then
        say "that version is there already and stays; --upgrade replaces it by this checkout"
        put_files "$CHECKOUT/systemd"
        if [[ $changed ]]; then
            mapfile -t units < <(running_units)
            came_up "${units[@]}" || fail "${units[*]} did not come up with the new units; see: journalctl -u edge-pose"
        fi
        return
    fi
    [[ $now != "$next" ]] || next=$PREFIX.b
    if ! build_environment "$next"; then
        [[ ! $now ]] || fail "the new environment could not be built (see above); nothing was switched, the old one goes on"
        fail "the environment could not be built (see above); mend that, and run this again"
    fi
    mapfile -t units < <(running_units)
    put_files "$CHECKOUT/systemd"
    point_to "$next"
    if ((${#units[@]})) && ! came_up "${units[@]}"; then
        say "the new daemon did not come up; its last words:"
        complaint "${units[@]}"
        go_back "$now" "${units[@]}"
    fi
    upgrade_configuration
    if [[ $now ]] && ! ((${#units[@]})); then
        say "no daemon was running: whether the new one comes up was not tried (the old one is kept in $now)"
    fi
}

# Rewrite configuration keys that were renamed, also of further instances. Only once the new daemon runs, since the old
# one does not know the new names; the new one accepts both. Each old file is kept.
upgrade_configuration() {
    local files=("$ETC"/*.toml)
    [[ -e ${files[0]} ]] || return 0
    run "$PREFIX/bin/python" -I -m edge.config.upgrade "${files[@]}" || say "the old names still work for now"
}

go_back() { # DIR UNIT...
    local dir=$1
    shift
    point_to "$dir"
    [[ ! -d $dir/share/edge-pose ]] || put_files "$dir/share/edge-pose"
    run systemctl reset-failed "$@" || true
    if came_up "$@"; then
        fail "WENT BACK: the old version runs again; the new one is left in $PREFIX.a or .b, whichever is not in use"
    fi
    fail "WENT BACK, but the old version does not come up either; see: journalctl -u edge-pose"
}

# Start it where that can work: not before the owner has said what the broker is called.
start() {
    local found
    run systemctl --quiet enable edge-pose.service
    if ! booted; then
        say "no systemd runs here: edge-pose is enabled and starts with the machine; nothing was started"
    elif [[ $dry || $(running_units) == *edge-pose.service* ]]; then
        :
    elif [[ $upgrade && ! $fresh_config ]]; then
        say "edge-pose is not running; start it with: sudo systemctl start edge-pose"
    elif found=$("$PREFIX/bin/edge-pose" check --offline 2>&1); then
        if ! came_up edge-pose.service; then
            say "IT DOES NOT RUN YET; its last words:"
            complaint edge-pose.service
        fi
    else
        say "NOT STARTED YET, as the configuration is not complete:"
        say "$found"
    fi
}

summary() {
    local host=BROKER
    [[ ! -f $BROKER_CONFIG ]] || host="127.0.0.1 -u edge-pose -P \"\$(sudo cat $PASSWORD)\""
    say ""
    if [[ $dry ]]; then
        say "That would be all; nothing was changed."
        return
    fi
    say "edge-pose is installed."
    if [[ $broker ]] && ! grep -q '^username = "edge-pose"' "$CONFIG"; then
        say "  broker   in $CONFIG, set mqtt.host = \"127.0.0.1\" and mqtt.username = \"edge-pose\""
    elif [[ ! $broker && $fresh_config ]]; then
        say "  broker   set mqtt.host in $CONFIG; its password, if any, goes into $PASSWORD (mode 600)"
    fi
    say "  edit     sudoedit $CONFIG             the camera: camera.source"
    say "  try      sudo edge-pose check"
    say "  start    sudo systemctl restart edge-pose          new settings without a restart: systemctl reload edge-pose"
    say "  state    systemctl status edge-pose; journalctl -u edge-pose"
    say "  watch    sudo edge-pose watch"
    say "  listen   mosquitto_sub -h $host -t 'edge-pose/#' -v"
}

uninstall() {
    local units=() unit
    if booted; then
        mapfile -t units < <(systemctl list-units --all --plain --no-legend 'edge-pose.service' 'edge-pose@*.service' |
            awk '{print $1}')
        for unit in "${units[@]}"; do run systemctl stop "$unit" || true; done
    fi
    run rm -f /etc/systemd/system/edge-pose.service /etc/systemd/system/edge-pose@.service \
        /etc/systemd/system/multi-user.target.wants/edge-pose.service \
        /etc/systemd/system/multi-user.target.wants/edge-pose@*.service \
        /etc/sysusers.d/edge-pose.conf /etc/tmpfiles.d/edge-pose.conf /etc/udev/rules.d/65-edge-pose.rules
    [[ $(readlink /usr/local/bin/edge-pose) != "$PREFIX/bin/edge-pose" ]] || run rm /usr/local/bin/edge-pose
    run rm -rf "$PREFIX" "$PREFIX.a" "$PREFIX.b"
    if booted; then
        run systemctl daemon-reload
        run systemctl reset-failed 'edge-pose*' 2>/dev/null || true
    fi
    [[ ! $purge ]] || remove_what_is_the_owners
    if [[ $dry ]]; then
        say "That would be all; nothing was changed."
    elif [[ $purge ]]; then
        say "removed with its configuration and models; packages that apt installed stay"
    else
        say "removed; $ETC, /var/lib/edge-pose, the user edge-pose and the broker are still there (--purge removes them)"
    fi
}

# ours_alone GROUP: whether it is one that systemd-sysusers may have made for us, and that nobody else has a use for.
ours_alone() {
    local gid members
    IFS=: read -r _ _ gid members < <(getent group "$1") || return 1
    members=${members/#edge-pose/} # who is still in it when nothing is done
    ((gid < 1000)) && [[ ! $members ]] && ! getent passwd | cut -d: -f4 | grep -qx "$gid" &&
        ! grep -qrsw --exclude='*edge-pose*' "$1" {/etc,/run,/usr/lib}/{sysusers.d,udev/rules.d} /var/lib/dpkg/info/*.{pre,post}inst
}

remove_what_is_the_owners() {
    run rm -rf "$ETC" /var/lib/edge-pose /etc/systemd/system/edge-pose.service.d /etc/systemd/system/edge-pose@*.service.d
    if getent passwd edge-pose >/dev/null; then run userdel edge-pose; fi
    if getent group edge-pose >/dev/null; then run groupdel edge-pose; fi
    if ours_alone apex; then run groupdel apex; fi
    if [[ -f $BROKER_CONFIG ]]; then
        run rm -f "$BROKER_CONFIG" "$BROKER_USERS" "$BROKER_ACL"
        if booted; then run systemctl restart mosquitto; fi
        say "mosquitto stays, but without edge-pose's user, and for this machine alone"
    fi
}

main() {
    parse "$@"
    preflight
    if [[ $action == uninstall ]]; then
        uninstall
        return
    fi
    packages
    install_program
    configuration
    [[ ! $broker ]] || local_broker
    run ln -sfn "$PREFIX/bin/edge-pose" /usr/local/bin/edge-pose
    start
    summary
}

# In one line, as bash reads on after the call, and the file may be another one by then.
main "$@"; exit
