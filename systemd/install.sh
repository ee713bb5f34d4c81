#!/usr/bin/env bash
# Install, upgrade or remove edge-pose on Raspberry Pi OS or Debian, 12 or 13.
#
#   sudo ./systemd/install.sh [--broker-local] [--page] [--wheelhouse DIR]   install; keeps an existing installation
#   sudo ./systemd/install.sh --upgrade [--page] [--wheelhouse DIR]          build this checkout and switch to it; switch
#                                                                            back if the service does not start
#   sudo ./systemd/install.sh --broker-login ID                     add a login for another sensor to this broker
#   sudo ./systemd/install.sh --uninstall [--purge]                 remove it; with --purge, also configuration and models
#
#   --page             switch the page for browsers on, with a password, and print its address
#   --broker-local     install mosquitto on this machine, with logins for this sensor (edge-pose) and for Home Assistant
#                      and other programs (home)
#   --broker-login ID  for the sensor whose device.id is ID, on this machine or another one
#   --wheelhouse DIR   install Python packages from that folder, without a network
#   --dry-run          print what the script would do, and change nothing
#
# The program goes to /opt/edge-pose, the configuration to /etc/edge-pose, models and recordings to /var/lib/edge-pose.
set -euo pipefail

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON=/usr/bin/python3 # the one that apt's numpy and picamera2 are built for
PREFIX=/opt/edge-pose # a link to one of two environments; the other one holds the previous version
ETC=/etc/edge-pose
CONFIG=$ETC/edge-pose.toml
PASSWORD=$ETC/mqtt_password
WEB_PASSWORD=$ETC/web_password
BROKER_CONFIG=/etc/mosquitto/conf.d/edge-pose.conf
BROKER_USERS=/etc/mosquitto/edge-pose.passwd
BROKER_ACL=/etc/mosquitto/edge-pose.acl
PAGE_S=60 # until the page answers: an old board needs some seconds to make a certificate
START_S=120 # more than the units' TimeoutStartSec
LOCK_S=300 # to wait for another apt, such as the automatic upgrade of a machine that has just booted

action=install upgrade='' purge='' dry='' broker='' page='' wheelhouse='' login=''
fresh_config='' changed='' new_password=''

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}
run() { if [[ $dry ]]; then say "would run: $*"; else "$@"; fi; }

# write_file MODE FILE: write standard input to FILE, unless FILE has that content already.
write_file() {
    local content
    content=$(cat; printf x) # the x protects the last newline, which the shell would drop
    content=${content%x}
    if [[ -f $2 ]] && printf %s "$content" | cmp -s - "$2"; then return; fi
    changed=1
    if [[ $dry ]]; then say "would write: $2"; else printf %s "$content" | install -D -m "$1" /dev/stdin "$2"; fi
}

# Whether systemd is running, which is not so in a chroot and in most containers.
booted() { [[ -d /run/systemd/system ]] && ! systemd-detect-virt --quiet --chroot; }

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
offered() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

parse_options() {
    while (($#)); do
        case $1 in
            --upgrade) upgrade=1 ;;
            --uninstall) action=uninstall ;;
            --purge) purge=1 ;;
            --dry-run) dry=1 ;;
            --broker-local) broker=1 ;;
            --page) page=1 ;;
            --broker-login)
                [[ ${2-} =~ ^[a-z0-9_-]{1,64}$ ]] || fail "--broker-login: «${2-}» is no device ID; use up to 64 of a-z, 0-9, _ and -"
                [[ $2 != home && $2 != edge-pose ]] || fail "--broker-login: $2 is another login; choose another device.id"
                action=login login=$2
                shift
                ;;
            --wheelhouse)
                [[ -d ${2-} ]] || fail "--wheelhouse: no such folder: «${2-}»; name a folder with wheels"
                wheelhouse=$(cd "$2" && pwd)
                shift
                ;;
            -h | --help)
                sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
                exit 0
                ;;
            *) fail "unknown option «$1»; see --help" ;;
        esac
        shift
    done
    [[ ! $purge || $action == uninstall ]] || fail "--purge: needs --uninstall"
    [[ ! $page || $action == install ]] || fail "--page: not with --uninstall or --broker-login; to switch it off, set web.enabled = false"
}

# Check the version of the installed Python or, if there is none, of the Python that apt would install.
check_python() {
    local version
    version=$($PYTHON -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        version=$(apt-cache policy python3 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]*\.[0-9]*\).*/\1/p')
    [[ $version ]] || return 0
    [[ $version =~ ^3\.1[1-9]$ ]] || fail "Python $version is too old; use Debian 12 or newer"
    [[ $arch != armhf || $version == 3.11 ]] ||
        fail "TFLite does not exist for Python $version on 32 bits; use Debian 12, or a 64-bit system"
}

# Fail before changing anything if an installation is not possible.
preflight() {
    command -v apt-get >/dev/null || fail "apt-get not found; use Debian or Raspberry Pi OS"
    [[ $dry || $EUID == 0 ]] || fail "must run as root; run: sudo $0"
    arch=$(dpkg --print-architecture)
    case $arch in
        amd64 | arm64) ;;
        armhf) [[ $(uname -m) != armv6l ]] || fail "TFLite does not exist for this processor (ARMv6); use a Pi 2 or newer" ;;
        *) fail "TFLite does not exist for $arch; use amd64, arm64 or armhf" ;;
    esac
    check_python
    if [[ $broker && ! -f $BROKER_CONFIG ]]; then
        local own
        own=$(grep -lsE '^ *(listener|port|password_file|acl_file|allow_anonymous|per_listener_settings)\b' \
            /etc/mosquitto/mosquitto.conf /etc/mosquitto/conf.d/*.conf | head -1) || true
        [[ ! $own ]] || fail "--broker-local: mosquitto is already configured in $own; add a user for edge-pose there"
    fi
}

# Update apt's package list. Only here must the script wait for another apt itself: `install` has an option for that.
update_package_list() {
    local output end=$((SECONDS + LOCK_S)) update=(env LC_ALL=C apt-get -qq update) announced=''
    [[ ! $dry ]] || { run "${update[@]}"; return; }
    until output=$("${update[@]}" 2>&1); do
        if [[ $output != *lists/lock* ]] || ((SECONDS >= end)); then
            say "$output" >&2
            return 1
        fi
        [[ $announced ]] || say "waiting up to $LOCK_S s for another apt to finish …"
        announced=1
        sleep 5
    done
    [[ ! $output ]] || say "$output" >&2
}

install_packages() {
    local wanted=(python3 python3-venv python3-numpy systemd udev) missing=() name
    # PyPI has few 32-bit wheels: use apt's Pillow, and compile the other packages.
    [[ $arch != armhf ]] || wanted+=(python3-pil python3-dev gcc libc6-dev)
    [[ ! $broker ]] || wanted+=(mosquitto mosquitto-clients)
    [[ ! $page ]] || wanted+=(openssl) # makes the certificate
    for name in "${wanted[@]}"; do installed "$name" || missing+=("$name"); done
    if ((${#missing[@]})) || { ! installed python3-picamera2 && [[ ! $wheelhouse ]]; }; then
        say "updating the package list …"
        update_package_list || say "the package list could not be updated; using the old one"
        check_python
    fi
    if ! installed python3-picamera2 && offered python3-picamera2; then missing+=(python3-picamera2); fi
    ((${#missing[@]})) || return 0
    say "installing packages: ${missing[*]}"
    local environment=(DEBIAN_FRONTEND=noninteractive) quiet=/dev/null
    booted || environment+=(RUNLEVEL=1) # without systemd, packages must not start their services
    [[ ! $dry ]] || quiet=/dev/stdout
    run env "${environment[@]}" apt-get -qq -o DPkg::Lock::Timeout=$LOCK_S install -y --no-install-recommends \
        "${missing[@]}" >"$quiet" ||
        fail "apt-get install failed (see above); fix that, and run the installer again"
}

# install_files DIR: install units, account, folders and device rules from a checkout or an environment.
install_files() {
    changed=''
    write_file 644 /etc/systemd/system/edge-pose.service <"$1/edge-pose.service"
    write_file 644 /etc/systemd/system/edge-pose@.service <"$1/edge-pose@.service"
    write_file 644 /etc/sysusers.d/edge-pose.conf <"$1/edge-pose.sysusers"
    write_file 644 /etc/tmpfiles.d/edge-pose.conf <"$1/edge-pose.tmpfiles"
    write_file 644 /etc/udev/rules.d/65-edge-pose.rules <"$1/edge-pose.rules"
    run systemd-sysusers /etc/sysusers.d/edge-pose.conf
    run systemd-tmpfiles --create /etc/tmpfiles.d/edge-pose.conf
    if booted; then
        run systemctl daemon-reload
    fi
    if booted && [[ -S /run/udev/control ]]; then # containers have no udev
        run udevadm control --reload || true
        run udevadm trigger --subsystem-match=usb --subsystem-match=apex || true
    fi
}

write_configuration() {
    if [[ -e $CONFIG ]] && ! { [[ $broker ]] && cmp -s "$CHECKOUT/config/edge-pose.toml" "$CONFIG"; }; then
        say "keeping $CONFIG"
        return
    fi
    fresh_config=1
    local edit=()
    [[ ! $broker ]] || edit=(-e 's/^host = ""/host = "127.0.0.1"/' -e 's/^username = ""/username = "edge-pose"/')
    sed "${edit[@]}" -e '' "$CHECKOUT/config/edge-pose.toml" | write_file 644 "$CONFIG"
}

# Switch the page on, with a random password, and keep what is set already. A running service is restarted, because only
# a start gives it a new password.
configure_page() {
    local units=() lines
    changed=''
    [[ $dry ]] || "$PREFIX/bin/edge-pose" page --help &>/dev/null ||
        fail "--page: the installed version has no page; add --upgrade"
    if [[ ! -s $WEB_PASSWORD ]] && ! sed -n '/^\[web\]/,/^\[/p' "$CONFIG" 2>/dev/null | grep -q '^password_file *= *"[^"]'; then
        # 16 of 31 characters that no font confuses, easy to type on a phone
        new_password=$(head -c 1000 /dev/urandom | LC_ALL=C tr -dc abcdefghjkmnpqrstuvwxyz23456789)
        new_password=${new_password:0:4}-${new_password:4:4}-${new_password:8:4}-${new_password:12:4}
        write_file 600 "$WEB_PASSWORD" <<<"$new_password"
    fi
    if [[ $dry ]]; then
        say "would set in $CONFIG, unless set already: web.enabled = true, web.host = \"0.0.0.0\""
        say "would print the address of the page, the fingerprint of its certificate, and a new password"
    else
        lines=$("$PREFIX/bin/python" -I -m edge.config.switch_page "$CONFIG") || fail "the page could not be switched on (see above)"
        [[ ! $lines ]] || { say "$lines"; changed=1; }
    fi
    [[ $changed ]] || return 0
    mapfile -t units < <(running_units | grep -Fx edge-pose.service)
    if ((${#units[@]})) && ! restart_units "${units[@]}"; then
        print_last_lines "${units[@]}"
        fail "the service did not start with the page (see above)"
    fi
}

# Print where the page is, when it answers, and a new password, which is never printed again.
print_page() {
    local end=$((SECONDS + PAGE_S))
    if [[ $(running_units) == *edge-pose.service* ]]; then
        until [[ $("$PREFIX/bin/edge-pose" page --json) == *'"listening": true'* ]] || ((SECONDS >= end)); do sleep 0.5; done
    else
        say "the page starts with the service"
    fi
    "$PREFIX/bin/edge-pose" page || true
    [[ ! $new_password ]] || say "The new password is $new_password; later, sudo cat $WEB_PASSWORD prints it."
}

# add_login USER FILE: let a user log in with the password in the file. Without a file, create a random password.
add_login() {
    if grep -qs "^$1:" "$BROKER_USERS"; then
        [[ -s $2 ]] || say "keeping the broker's login $1; write its password into $2 (mode 600), which is missing"
        return 0
    fi
    [[ -s $2 ]] || head -c 18 /dev/urandom | base64 | write_file 600 "$2"
    changed=1
    if [[ $dry ]]; then
        say "would add the login $1 to: $BROKER_USERS"
        return
    fi
    # Pass the password in a file, because every user can read a command line.
    install -m 600 /dev/stdin "$BROKER_USERS.new" <<<"$1:$(<"$2")"
    mosquitto_passwd -U "$BROKER_USERS.new"
    if [[ -f $BROKER_USERS ]]; then cat "$BROKER_USERS" >>"$BROKER_USERS.new"; fi
    mv "$BROKER_USERS.new" "$BROKER_USERS"
}

# Rewrite our part of the access list, for the devices in the configuration files.
write_access_list() {
    local files=("$ETC"/*.toml) list
    [[ -e ${files[0]} ]] || files=()
    if [[ $dry && ! -x $PREFIX/bin/python ]]; then
        say "would write: $BROKER_ACL"
        return
    fi
    list=$(cd "$CHECKOUT" && "$PREFIX/bin/python" -B -m edge.mqtt.access_list "$BROKER_ACL" "${files[@]}") ||
        fail "the access list could not be made (see above)"
    write_file 600 "$BROKER_ACL" <<<"$list"
}

configure_broker() {
    changed=''
    write_file 644 "$BROKER_CONFIG" <<<"# Written by edge-pose's install.sh --broker-local
listener 1883
allow_anonymous false
password_file $BROKER_USERS
acl_file $BROKER_ACL"
    add_login edge-pose "$PASSWORD"
    add_login home "${PASSWORD}_home"
    [[ ! $login ]] || add_login "$login" "${PASSWORD}_$login"
    write_access_list
    # At every reload, mosquitto reads them as its own user. Always, because an earlier run may have been interrupted.
    run chown mosquitto: "$BROKER_USERS" "$BROKER_ACL"
    [[ $changed ]] || return 0
    run systemctl --quiet enable mosquitto
    # A restart makes every sensor connect and announce itself again, with its new rights.
    if booted; then run systemctl restart mosquitto; fi
}

# Add a login for another sensor to the broker on this machine.
add_device() {
    [[ -f $BROKER_CONFIG ]] || fail "--broker-login: there is no broker of edge-pose here; install it with --broker-local"
    configure_broker
    [[ ! $dry ]] || { say "Nothing was changed."; return; }
    say "The sensor with device.id = \"$login\" can log in with mqtt.username = \"$login\"; its password is in ${PASSWORD}_$login."
    say "  here       edge-pose@$login reads that file; set both keys in $ETC/$login.toml"
    say "  elsewhere  copy that file to $PASSWORD there (mode 600); set both keys, and mqtt.host, in $CONFIG there"
}

# build_environment DIR: create a venv with this checkout's package, which uses apt's numpy and picamera2.
build_environment() {
    local dir=$1 pip=("$1/bin/python" -m pip --quiet --disable-pip-version-check --no-input install) package=$CHECKOUT
    local extras=video,demo numpy rest=()
    [[ $arch != armhf ]] || extras=demo # PyPI has no 32-bit PyAV
    numpy=$($PYTHON -Ic 'import numpy; print(numpy.__version__)' 2>/dev/null) || numpy=
    pip+=(--constraint "$dir/constraints.txt")
    if [[ $wheelhouse ]]; then
        pip+=(--no-index --find-links "$wheelhouse")
        package=$(find "$wheelhouse" -maxdepth 1 -name 'edge_pose-*.whl' | sort -V | tail -1)
        package=${package:-$CHECKOUT}
        extras=''
        if compgen -G "$wheelhouse/av-*.whl" >/dev/null && [[ $arch != armhf ]]; then extras=video; fi
        if compgen -G "$wheelhouse/iotcore-*.whl" >/dev/null; then extras+=${extras:+,}demo; fi
        say "from the wheelhouse: ${package##*/}, extras: ${extras:-none, because it has no wheels of av and iotcore}"
    fi
    say "building the environment in $dir, which takes a minute or more …"
    run rm -rf "$dir"
    run $PYTHON -m venv --system-site-packages "$dir" &&
        { echo "numpy==$numpy" | write_file 644 "$dir/constraints.txt"; } || return 1
    if [[ $arch == armhf ]]; then
        # 32-bit Raspberry Pi OS has a 64-bit kernel, for which pip would select LiteRT.
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
    [[ $dry ]] || { check_packages "$dir" && test_run "$dir"; }
}

# check_packages DIR: print the numpy, runtime and picamera2 of an environment; fail if numpy is not apt's.
check_packages() {
    "$1/bin/python" -I - <<'PY'
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy

apt = numpy.__file__.startswith("/usr/lib/python3/")
print(f"numpy {numpy.__version__} from {numpy.__file__.rpartition('/numpy/')[0]}" + " (apt's)" * apt)
for runtime in ("ai-edge-litert", "tflite-runtime"):
    try:
        print(f"{runtime} {version(runtime)}")
    except PackageNotFoundError:
        pass
try:
    import picamera2  # noqa: F401
    print("picamera2 can be imported, so the Pi's own camera can be used")
except Exception as exc:
    print(f"picamera2 cannot be imported ({exc}), so the Pi's own camera cannot be used")
if not apt:
    sys.exit("install.sh: the environment does not use apt's numpy, which picamera2 needs")
PY
}

# test_run DIR: run the detection on a painted picture, which tests everything except camera and broker.
test_run() {
    local folder done=0
    folder=$(mktemp -d)
    "$1/bin/edge-pose" annotate synthetic:walk "$folder/seen.png" &>"$folder/output" || done=$?
    ((done == 0)) || cat "$folder/output" >&2
    rm -r "$folder"
    return "$done"
}

switch_to() { # DIR: make it the current environment
    run ln -sfn "${1##*/}" "$PREFIX.new"
    run mv -T "$PREFIX.new" "$PREFIX"
}

running_units() {
    booted || return 0
    systemctl list-units --plain --no-legend --state=active,reloading 'edge-pose.service' 'edge-pose@*.service' |
        awk '{print $1}'
}

restart_units() { # UNIT...: restart them and wait until they are ready
    local unit
    for unit in "$@"; do
        say "starting $unit …"
        run timeout "$START_S" systemctl restart "$unit" || return 1
    done
}

print_last_lines() { # UNIT...: of their logs
    for unit in "$@"; do journalctl --quiet --no-pager -u "$unit" -n 5 -o cat | sed 's/^/    /'; done
}

install_program() {
    local now='' next=$PREFIX.a units=()
    if [[ -L $PREFIX ]]; then
        now=$(dirname "$PREFIX")/$(readlink "$PREFIX")
    elif [[ -d $PREFIX ]]; then # early versions had only one environment
        run mv "$PREFIX" "$PREFIX.b"
        switch_to "$PREFIX.b"
        now=$PREFIX.b
    fi
    if [[ $now && ! $upgrade ]] && "$PREFIX/bin/edge-pose" --version 2>/dev/null && check_packages "$PREFIX"; then
        say "keeping the installed version; use --upgrade to replace it with this checkout"
        install_files "$CHECKOUT/systemd"
        if [[ $changed ]]; then
            mapfile -t units < <(running_units)
            restart_units "${units[@]}" || fail "${units[*]} did not start with the new units; see: journalctl -u edge-pose"
        fi
        return
    fi
    [[ $now != "$next" ]] || next=$PREFIX.b
    if ! build_environment "$next"; then
        [[ ! $now ]] || fail "the new environment could not be built (see above); the old version keeps running"
        fail "the environment could not be built (see above); fix that, and run the installer again"
    fi
    mapfile -t units < <(running_units)
    install_files "$CHECKOUT/systemd"
    switch_to "$next"
    if ((${#units[@]})) && ! restart_units "${units[@]}"; then
        say "the new version did not start; its last log lines:"
        print_last_lines "${units[@]}"
        switch_back "$now" "${units[@]}"
    fi
    upgrade_configuration
    if [[ $now ]] && ! ((${#units[@]})); then
        say "no service was running, so the new version was not started; the old one is kept in $now"
    fi
}

# Rename old configuration keys in the files of all instances, and keep backups. This comes after the start of the new
# version, which accepts both names, because the old version needs the old names if the script switches back.
upgrade_configuration() {
    local files=("$ETC"/*.toml)
    [[ -e ${files[0]} ]] || return 0
    run "$PREFIX/bin/python" -I -m edge.config.upgrade "${files[@]}" || say "the old names of keys still work in this version"
}

switch_back() { # DIR UNIT...: make DIR the current environment again, restart the units, and fail
    local dir=$1
    shift
    switch_to "$dir"
    [[ ! -d $dir/share/edge-pose ]] || install_files "$dir/share/edge-pose"
    run systemctl reset-failed "$@" || true
    if restart_units "$@"; then
        fail "SWITCHED BACK: the old version runs again; the new one remains in $PREFIX.a or .b, whichever is not in use"
    fi
    fail "SWITCHED BACK, but the old version does not start either; see: journalctl -u edge-pose"
}

# Enable the service, and start it unless the configuration is still incomplete.
start_service() {
    local found
    run systemctl --quiet enable edge-pose.service
    if ! booted; then
        say "systemd does not run here: edge-pose is enabled and will start at boot"
    elif [[ $dry || $(running_units) == *edge-pose.service* ]]; then
        :
    elif [[ $upgrade && ! $fresh_config ]]; then
        say "edge-pose is not running; start it with: sudo systemctl start edge-pose"
    elif found=$("$PREFIX/bin/edge-pose" check --offline 2>&1); then
        if ! restart_units edge-pose.service; then
            say "EDGE-POSE DOES NOT RUN YET; its last log lines:"
            print_last_lines edge-pose.service
        fi
    else
        say "EDGE-POSE IS NOT STARTED YET, because the configuration is not complete:"
        say "$found"
    fi
}

print_summary() {
    local host=BROKER
    [[ ! -f $BROKER_CONFIG ]] || host="127.0.0.1 -u home -P \"\$(sudo cat ${PASSWORD}_home)\""
    say ""
    if [[ $dry ]]; then
        say "Nothing was changed."
        return
    fi
    say "edge-pose is installed."
    if [[ $broker ]] && ! grep -q '^username = "edge-pose"' "$CONFIG"; then
        say "  broker   in $CONFIG, set mqtt.host = \"127.0.0.1\" and mqtt.username = \"edge-pose\""
    elif [[ ! $broker && $fresh_config ]]; then
        say "  broker   set mqtt.host in $CONFIG; write its password, if any, into $PASSWORD (mode 600)"
    fi
    say "  edit     sudoedit $CONFIG             the camera: camera.source"
    say "  test     sudo edge-pose check"
    say "  start    sudo systemctl restart edge-pose          apply changes while it runs: systemctl reload edge-pose"
    say "  state    systemctl status edge-pose; journalctl -u edge-pose"
    say "  watch    sudo edge-pose watch"
    say "  listen   mosquitto_sub -h $host -t 'edge-pose/#' -v"
    [[ -f $BROKER_CONFIG ]] || return 0
    say "  home     Home Assistant and other programs log in as home; the password: sudo cat ${PASSWORD}_home"
    say "  rights   after a change of device.id, mqtt.base_topic or home_assistant.prefix, run the installer again"
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
    [[ ! $purge ]] || remove_data
    if [[ $dry ]]; then
        say "Nothing was changed."
    elif [[ $purge ]]; then
        say "removed, with configuration, models and recordings; packages from apt stay"
    else
        say "removed; $ETC, /var/lib/edge-pose, the user edge-pose and the broker stay (--purge removes them)"
    fi
}

# group_is_ours GROUP: whether it is a system group without other members that no other package mentions.
group_is_ours() {
    local gid members
    IFS=: read -r _ _ gid members < <(getent group "$1") || return 1
    members=${members/#edge-pose/} # in a dry run, our user still exists
    ((gid < 1000)) && [[ ! $members ]] && ! getent passwd | cut -d: -f4 | grep -qx "$gid" &&
        ! grep -qrsw --exclude='*edge-pose*' "$1" {/etc,/run,/usr/lib}/{sysusers.d,udev/rules.d} /var/lib/dpkg/info/*.{pre,post}inst
}

remove_data() {
    run rm -rf "$ETC" /var/lib/edge-pose /etc/systemd/system/edge-pose.service.d /etc/systemd/system/edge-pose@*.service.d
    if getent passwd edge-pose >/dev/null; then run userdel edge-pose; fi
    if getent group edge-pose >/dev/null; then run groupdel edge-pose; fi
    if group_is_ours apex; then run groupdel apex; fi
    if [[ -f $BROKER_CONFIG ]]; then
        run rm -f "$BROKER_CONFIG" "$BROKER_USERS" "$BROKER_ACL"
        if booted; then run systemctl restart mosquitto; fi
        say "mosquitto stays, without the logins of edge-pose, and listens on this machine only"
    fi
}

main() {
    parse_options "$@"
    preflight
    if [[ $action == uninstall ]]; then
        uninstall
        return
    fi
    if [[ $action == login ]]; then
        add_device
        return
    fi
    install_packages
    install_program
    write_configuration
    [[ ! $broker && ! -f $BROKER_CONFIG ]] || configure_broker
    run ln -sfn "$PREFIX/bin/edge-pose" /usr/local/bin/edge-pose
    [[ ! $page ]] || configure_page
    start_service
    print_summary
    [[ ! $page || $dry ]] || print_page
}

# On one line, because bash reads a script while it runs, and `git pull` may replace this file.
main "$@"; exit
