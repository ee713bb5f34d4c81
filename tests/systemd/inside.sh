#!/usr/bin/env bash
# Run all checks as root inside the Debian that run.sh has booted. Print one line per check: ok or FAIL.
# Many checks are text that `eval` runs later, hence:
# shellcheck disable=SC2016,SC2317,SC2034
set -uo pipefail
failures=0
config=/etc/edge-pose/edge-pose.toml
check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >/tmp/output 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        sed 's/^/        /' /tmp/output | tail -15
        journalctl --no-pager -n 8 -o cat -u 'edge-pose*' | sed 's/^/        journal: /'
        failures=$((failures + 1))
    fi
}
not() { ! "$@"; }
until_true() { # COMMAND...: within a minute
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    "$@"
}
unit() { systemctl show -P "$1" "${2:-edge-pose.service}"; }
is() { # PROPERTY VALUE [UNIT]
    echo "$1 is $(unit "$1" "${3:-edge-pose.service}"), not $2"
    [[ $(unit "$1" "${3:-edge-pose.service}") == "$2" ]]
}
receive() { # TOPIC: print the next message
    listen_as home "$1" -C 1 -W 10
}
listen_as() { # LOGIN TOPIC OPTION...
    local file=/etc/edge-pose/mqtt_password_$1
    [[ $1 != edge-pose ]] || file=/etc/edge-pose/mqtt_password
    mosquitto_sub -h 127.0.0.1 -u "$1" -P "$(cat "$file")" -t "edge-pose/$2" "${@:3}"
}
rights_are() { # TOPICS COMMANDS: levels of these lines of the doctor
    edge-pose doctor --json >/tmp/doctor
    /opt/edge-pose/bin/python -c 'import json, sys
results = {result["name"]: result for result in json.load(open("/tmp/doctor")) if result["group"] == "broker"}
print(results)
sys.exit([results[name]["level"] for name in ("topics", "commands")] != sys.argv[1:])' "$@"
}
status_is() { [[ $(receive '+/status') == "$1" ]]; }
set_key() { sed -i "s|^$1 = .*|$1 = $2|" "$config"; }
start_fresh() { # start the service with its restart counter at 0
    systemctl reset-failed edge-pose.service
    systemctl start edge-pose.service
}

ip link set lo up
echo "--- the installer"
/checkout/systemd/install.sh --broker-local --wheelhouse /wheels >/tmp/install.log 2>&1
check "the installer works without a network" [ $? = 0 ]
check "it prints the numpy in use" grep -q "numpy .* (apt's)" /tmp/install.log
check "it prints why the service does not run yet" grep -q 'EDGE-POSE DOES NOT RUN YET' /tmp/install.log
secret=$(cat /etc/edge-pose/mqtt_password)
check "systemd accepts every line of the units" eval '[[ ! $(systemd-analyze verify edge-pose.service 2>&1 | grep edge-pose) ]]'
check "the exposure is at most 1.5" systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/edge-pose.service
check "mosquitto refuses clients without a password" eval 'mosquitto_sub -h 127.0.0.1 -t "#" -C 1 -W 2; [[ $? = 5 || $? = 135 ]]'

echo "--- start"
systemctl stop edge-pose.service
set_key source '"synthetic:unknown"'
systemctl start edge-pose.service 2>/dev/null
check "a service with an invalid configuration (78) is not restarted" eval 'is ExecMainStatus 78 && is NRestarts 0 && is ActiveState failed'
set_key source '"synthetic:walk"'
start_fresh
check "the service is READY after the first frame" eval 'is ActiveState active && [[ $(receive +/info) == *\"frame\":{\"width\":640* ]]'
check "its status is «online»" status_is online
check "open events are kept in the state directory, which others cannot read" until_true eval 'grep -q presence /var/lib/edge-pose/*.open_events.json &&
    ! runuser -u nobody -- cat /var/lib/edge-pose/*.open_events.json'
check "systemctl status shows frame rate and people" eval '[[ $(unit StatusText) == *fps*person* ]]'
pid=$(unit MainPID)
sum=$(sha256sum $config /etc/edge-pose/mqtt_password)
check "a second installation changes nothing" eval '/checkout/systemd/install.sh --wheelhouse /wheels &&
    is MainPID $pid && [[ $(sha256sum $config /etc/edge-pose/mqtt_password) == "$sum" ]]'

echo "--- rights on the broker"
check "every password is in a file that only root can read" eval '[[ $(stat -c "%U %a" /etc/edge-pose/mqtt_password*) == "root 600
root 600" ]]'
check "it prints no password, and how home logs in" eval 'grep "log in as home.*/etc/edge-pose/mqtt_password_home" /tmp/install.log &&
    not grep -qFf <(cat /etc/edge-pose/mqtt_password*) /tmp/install.log'
check "the doctor finds no missing right" rights_are ok ok
check "the sensor's login receives nothing of what home receives" eval 'receive +/keypoints && not listen_as edge-pose "#" -C 1 -W 3'
check "watch logs in as home" eval 'timeout 5 edge-pose watch --json >/tmp/watched; grep -q keypoints /tmp/watched'
set_key id '"attic"'
systemctl restart edge-pose.service
check "after a new device.id, the doctor reports the refused topics" rights_are problem unknown
check "the installer gives the device its new rights" eval '/checkout/systemd/install.sh --wheelhouse /wheels && rights_are ok ok &&
    until_true eval "[[ \$(receive attic/status) == online ]]"'
set_key id '""'
# As version 0.3 left it, with a login of the owner.
cp /etc/mosquitto/edge-pose.passwd /tmp/passwd && rm /etc/edge-pose/mqtt_password_home
grep ^edge-pose: /tmp/passwd >/etc/mosquitto/edge-pose.passwd
mosquitto_passwd -b /etc/mosquitto/edge-pose.passwd nodered flows
printf 'user edge-pose\ntopic readwrite edge-pose/#\nuser nodered\ntopic read edge-pose/#\n' >/etc/mosquitto/edge-pose.acl
systemctl restart mosquitto edge-pose.service
check "version 0.3 lacks a right" rights_are problem ok
check "an upgrade adds them, and keeps the logins with their rights" eval '/checkout/systemd/install.sh --wheelhouse /wheels && rights_are ok ok &&
    listen_as edge-pose +/keypoints -C 1 -W 10 && receive +/keypoints && mosquitto_sub -h 127.0.0.1 -u nodered -P flows -t edge-pose/+/keypoints -C 1 -W 10'
pid=$(unit MainPID)
clear_device() { # ID: delete what the broker retains of a device, as home
    local topic
    listen_as home "$1/#" --retained-only -W 2 -F %t >/tmp/retained
    while read -r topic; do
        mosquitto_pub -V 5 -q 1 -h 127.0.0.1 -u home -P "$(cat /etc/edge-pose/mqtt_password_home)" -r -n -t "$topic" || return 1
    done </tmp/retained
    [[ -s /tmp/retained && ! $(listen_as home "$1/#" --retained-only -W 2) ]]
}
check "home may clear the topics of a device that is gone" clear_device attic

echo "--- the password"
check "it is neither in the environment nor in the command line" not grep -qF "$secret" "/proc/$pid/environ" "/proc/$pid/cmdline"
check "the service's user cannot read its file" not runuser -u edge-pose -- cat /etc/edge-pose/mqtt_password
check "systemd passes it to the service" grep -qz ^CREDENTIALS_DIRECTORY= "/proc/$pid/environ"

echo "--- reload"
set_key width 320
check "a reload applies a valid configuration in the same process" eval 'systemctl reload edge-pose &&
    until_true eval "[[ \$(receive +/info) == *\\\"width\\\":320* ]]" && until_true is ActiveState active && is MainPID $pid'
set_key fps -1
check "a reload with an invalid configuration fails" not systemctl reload edge-pose
((pid > 0)) && kill -HUP "$pid"
check "after a plain SIGHUP, the status line says why" until_true eval '[[ $(unit StatusText) == *refused*camera.fps* ]]'
check "the old configuration stays in use" eval 'until_true is ActiveState active && is MainPID $pid && receive +/keypoints && is NRestarts 0'
set_key fps 15.0
check "a later reload applies a valid configuration" eval 'systemctl reload edge-pose && until_true eval "[[ \$(unit StatusText) == *online ]]"'

echo "--- requests"
ask() { # REQUEST: print the answer, as home
    local topic
    topic=$(listen_as home +/status -C 1 -W 10 -F %t)
    mosquitto_rr -h 127.0.0.1 -u home -P "$(cat /etc/edge-pose/mqtt_password_home)" -n -W 30 \
        -t "${topic%/status}/request/$1" -e "${topic%/status}/response/$1"
}
is_answered() { [[ $(ask "$1") == *'"status":"ok"'* ]]; }
check "a snapshot can be drawn in the sandbox" is_answered snapshot
check "a restart is answered, and systemd starts the service again" eval 'is_answered restart &&
    until_true is NRestarts 1 && until_true is ActiveState active && not is MainPID $pid && until_true status_is online'
systemctl reset-failed edge-pose.service # sets the restart counter to 0
pid=$(unit MainPID)

echo "--- crash, hang and stop"
mosquitto_sub -h 127.0.0.1 -u home -P "$(cat /etc/edge-pose/mqtt_password_home)" -t 'edge-pose/+/status' >/tmp/statuses &
subscriber=$!
until_true grep -q online /tmp/statuses
systemctl kill --signal=KILL edge-pose.service
check "after SIGKILL, the status is «offline» by the last will, then «online»" \
    until_true eval '[[ $(tr "\n" " " </tmp/statuses) == "online offline online " ]]'
check "systemd has restarted it" eval 'is NRestarts 1 && not is MainPID $pid'
mkdir -p /etc/systemd/system/edge-pose.service.d
printf '[Service]\nWatchdogSec=2s\n' >/etc/systemd/system/edge-pose.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart edge-pose.service
pid=$(unit MainPID)
((pid > 0)) && kill -STOP "$pid" # 0 would stop this script
check "the watchdog ends a hang" until_true eval 'journalctl -u edge-pose | grep -q "Watchdog timeout" && is NRestarts 1'
check "the service runs again" until_true eval 'is ActiveState active && not is MainPID $pid'
rm -r /etc/systemd/system/edge-pose.service.d
systemctl daemon-reload
start_fresh
before=$(date +%s%N)
systemctl stop edge-pose.service
took_ms=$((($(date +%s%N) - before) / 1000000))
check "after SIGTERM, the service stops within 2 s ($took_ms ms)" [ $took_ms -lt 2000 ]
check "it stops cleanly, with «offline»" eval 'is Result success && [[ $(tail -1 /tmp/statuses) == offline ]]'
kill "$subscriber"

echo "--- the sandbox"
mknod -m 660 /dev/edge-pose-null c 1 3 # like a camera: readable for a group, and allowed by the unit
chgrp video /dev/edge-pose-null
mkdir -p /home/someone && echo private >/home/someone/file && chmod -R a+rX /home/someone
sed -e 's|^ExecStart=.*|ExecStart=/opt/edge-pose/bin/python /checkout/tests/systemd/probe.py|' -e 's/^Type=.*/Type=oneshot/' \
    -e '/^ExecReload\|^Watchdog\|^Restart\|^NotifyAccess/d' /etc/systemd/system/edge-pose.service \
    >/etc/systemd/system/edge-pose-probe.service
systemctl daemon-reload
systemctl start edge-pose-probe.service
while read -r verdict name; do check "$name" [ "$verdict" = ok ]; done \
    < <(journalctl -u edge-pose-probe -o cat | sed -n 's/^probe: //p')
check "the probe has finished" is Result success edge-pose-probe.service
for _ in 1 2 3; do # alternate, because the load of the machine may change
    /opt/edge-pose/bin/python /checkout/tests/systemd/probe.py --invoke >>/tmp/outside 2>/dev/null
    systemctl start edge-pose-probe.service
done
fastest() { sed -n 's/^invoke: //p' | sort -n | head -1; }
inside_ms=$(journalctl -u edge-pose-probe -o cat | fastest)
outside_ms=$(fastest </tmp/outside)
echo "      an invoke takes $inside_ms ms inside and $outside_ms ms outside:" \
    "$(awk "BEGIN { printf \"%.3f\", $inside_ms / $outside_ms }") times as long"
rm /etc/systemd/system/edge-pose-probe.service

echo "--- recordings"
recordings=/var/lib/edge-pose/recordings
sed -i '/^\[recording\]/,/^$/ s/^enabled = false/enabled = true/' $config
start_fresh
check "the service may record into the default folder" until_true eval '[[ $(cat $recordings/*.jsonl | wc -l) -gt 60 ]]'
check "other users cannot read recordings" not runuser -u nobody -- ls $recordings
systemctl stop edge-pose.service
check "they can be replayed" eval '[[ $(edge-pose replay --json $recordings) == *arrived*left*stopped* ]]'
sed -i '/^\[recording\]/,/^$/ s/^enabled = true/enabled = false/' $config

echo "--- the camera is switched off"
sed -i '/^\[camera\]/,/^$/ s/^enabled = true/enabled = false/' $config
mkdir -p /etc/systemd/system/edge-pose.service.d
printf '[Service]\nWatchdogSec=3s\n' >/etc/systemd/system/edge-pose.service.d/watchdog.conf # two minutes would be long
systemctl daemon-reload
switch() { # ON or OFF
    local status
    status=$(listen_as home +/status -C 1 -W 10 -F %t)
    mosquitto_pub -h 127.0.0.1 -u home -P "$(cat /etc/edge-pose/mqtt_password_home)" -t "${status%/status}/set/enabled" -m "$1"
}
start_fresh
check "the service is READY without a frame" eval 'is ActiveState active && [[ $(receive +/health) == *\"camera\":\"off\"* ]]'
check "after ON, there are frames" eval 'switch ON && receive +/keypoints'
sed -i '/^\[camera\]/,/^$/ s/^enabled = false/enabled = true/' $config
systemctl restart edge-pose.service
pid=$(unit MainPID)
check "after OFF, the camera is closed" eval 'receive +/keypoints && switch OFF && until_true eval "[[ \$(unit StatusText) == *\"switched off\"* ]]"'
begin=$SECONDS
until_true eval '((SECONDS > begin + 12))' # four times the limit of the watchdog
check "the watchdog does not end the service" eval 'is ActiveState active && is MainPID $pid && is NRestarts 0'
rm -r /etc/systemd/system/edge-pose.service.d
systemctl daemon-reload
systemctl restart edge-pose.service
check "it is still off after a restart" eval '[[ $(receive +/setting/enabled) == OFF && $(receive +/health) == *\"camera\":\"off\"* ]]'
switch ON
check "after ON, there are frames again" receive +/keypoints
systemctl stop edge-pose.service

echo "--- the page"
page=https://127.0.0.1:8077 page_password=/etc/edge-pose/web_password
fetch() { # PATH [PASSWORD]: print status and body of an answer
    /opt/edge-pose/bin/python -c 'import base64, ssl, sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1])
if sys.argv[2:]:
    request.add_header("Authorization", "Basic " + base64.b64encode(f"any:{sys.argv[2]}".encode()).decode())
try:
    answer = urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context())
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())' "$page$1" "${@:2}"
}
everything() { find /etc /opt /var/lib/edge-pose -not -type d \( -path '*edge-pose*' \) -printf '%p %T@ %m %u\n' | sort; }
page_is() { # LEVEL: all lines of the doctor about the page
    edge-pose doctor --json >/tmp/doctor
    /opt/edge-pose/bin/python -c 'import json, sys
results = [result for result in json.load(open("/tmp/doctor")) if result["group"] == "page"]
print(results)
sys.exit({result["level"] for result in results} != {sys.argv[1]})' "$1"
}
check "while it is off, a command and the doctor say how to switch it on" eval '[[ $(edge-pose page) == *"the page is off"*--page* ]] &&
    page_is ok && not fetch /healthz'
start_fresh
before=$(everything)
check "--page --dry-run says what it would do, and changes nothing" eval '/checkout/systemd/install.sh --page --wheelhouse /wheels --dry-run >/tmp/dry &&
    grep "would write: $page_password" /tmp/dry && grep "web.enabled = true" /tmp/dry && diff <(echo "$before" | grep -v /var/lib) <(everything | grep -v /var/lib)'
pid=$(unit MainPID)
/checkout/systemd/install.sh --page --wheelhouse /wheels >/tmp/page.log 2>&1
rc=$?
check "--page switches it on" eval 'cat /tmp/page.log; [ $rc = 0 ] && grep -q "^state  *it answers" /tmp/page.log'
check "the service was restarted with the new password" eval 'is ActiveState active && not is MainPID $pid && is NRestarts 0'
check "it prints the password once" eval '[[ $(grep -cFf $page_password /tmp/page.log) == 1 ]]'
check "only root can read the password" eval '[[ $(stat -c "%U %a" $page_password) == "root 600" ]] && not runuser -u edge-pose -- cat $page_password'
check "it prints the address, and the fingerprint of the service's certificate" eval 'grep -q "https://.*:8077" /tmp/page.log &&
    grep -qF "$(openssl x509 -in /var/lib/edge-pose/*.page.pem -noout -fingerprint -sha256 | sed s/.*=//)" /tmp/page.log'
check "only the service can read the private key" eval '[[ $(stat -c "%U %a" /var/lib/edge-pose/*.page.pem) == "edge-pose 600" ]]'
check "the page asks for the password" eval '[[ $(fetch /) == 200*password* && $(fetch /metrics) == 401* && $(fetch /metrics wrong) == 401* ]]'
check "the metrics can be read with it" eval '[[ $(fetch /metrics "$(cat $page_password)") == 200*edge_pose_frames_total* ]]'
check "the sensor works from camera to broker" until_true eval '[[ $(fetch /healthz) == "200 ok"* ]]'
check "the doctor finds the page in order" page_is ok
pid=$(unit MainPID)
before=$(everything)
check "--page changes nothing a second time, and prints no password" eval '/checkout/systemd/install.sh --page --wheelhouse /wheels >/tmp/again && is MainPID $pid &&
    diff <(echo "$before" | grep -v /var/lib) <(everything | grep -v /var/lib) && grep "https://.*:8077" /tmp/again && not grep -Ff $page_password /tmp/again'
fingerprint=$(edge-pose page --json | grep -o '"fingerprint": "[^"]*"')
has_fingerprint() { [[ $fingerprint && $(edge-pose page --json) == *"$fingerprint"* ]]; }
check "a restart keeps the certificate" eval 'systemctl restart edge-pose.service && until_true has_fingerprint'
systemctl stop edge-pose.service
check "while the service is stopped, the doctor says that nothing listens" eval 'not page_is ok; grep -q "nothing listens" /tmp/doctor'

echo "--- several cameras"
check "the installer adds a login for another sensor" /checkout/systemd/install.sh --broker-login door
check "it refuses the name of an existing login" not /checkout/systemd/install.sh --broker-login home
sed -e 's/^id = ""/id = "door"/' -e 's/^username = .*/username = "door"/' $config >/etc/edge-pose/door.toml
systemctl start edge-pose@door.service
check "edge-pose@door runs beside edge-pose" eval 'start_fresh; is ActiveState active edge-pose@door.service && [[ $(receive door/status) == online ]]'
check "the one that finds the port of the page in use works without a page" until_true eval 'journalctl -u edge-pose | grep "the page cannot be opened.*8077"'
check "it uses its own login" grep "as edge-pose-door .*u'door'" /var/log/mosquitto/mosquitto.log
systemctl stop edge-pose@door.service
check "it opens the page when the port is free" until_true eval '[[ $(edge-pose page --json) == *"\"listening\": true"* ]]'

echo "--- upgrade"
cp -r /checkout /tmp/newer
sed -i 's/^__version__ = .*/__version__ = "9.9.9"/' /tmp/newer/edge/__init__.py
use_old_keys() { # FILE: rename its keys to those of version 0.1
    sed -i -e 's/^retry_s = /probe_s = /' -e '/^\[people\]/d' -e '/^\[decode\]/d' -e '/^mode = /d' -e '/^max_people = /d' \
        -e '/^nms_radius_px = /d' -e '/^second_opinion = /d' -e 's/^detect_lying = .*/[decode]\nturned = true  # mine/' "$1"
}
use_old_keys $config
use_old_keys /etc/edge-pose/door.toml
check "old names of keys are accepted with a warning" eval 'edge-pose check --offline 2>&1 | grep "turned is now called people.detect_lying"'
before=$(sha256sum <$config)
check "--dry-run changes nothing" eval '/tmp/newer/systemd/install.sh --upgrade --dry-run && [[ $(edge-pose --version) != *9.9.9 ]]'
check "an upgrade to a working version works" eval '/tmp/newer/systemd/install.sh --upgrade --page --wheelhouse /wheels &&
    [[ $(edge-pose --version) == *9.9.9 ]] && is ActiveState active && [[ $(receive +/info) == *9.9.9* ]]'
check "the page is still on, with the same certificate" eval '[[ $(fetch /metrics "$(cat $page_password)") == 200*9.9.9* ]] && has_fingerprint'
check "it renames the keys in every configuration" eval 'edge-pose check --offline 2>&1 | not grep "is now called" &&
    grep "^detect_lying = true *# mine" $config /etc/edge-pose/door.toml && ! grep -E "^(turned|probe_s)" $config /etc/edge-pose/door.toml'
check "it keeps the old files" eval '[[ $(sha256sum <$config.bak) == "$before" && -f /etc/edge-pose/door.toml.bak ]]'
# This version can be built and answers --version, but does not run as a service.
sed -i 's/^__version__ = .*/__version__ = "10.0.0"/' /tmp/newer/edge/__init__.py
broken='if "run" in sys.argv: raise RuntimeError("broken on purpose")'
sed -i "s/^def main() -> None:/&\n    $broken/" /tmp/newer/edge/__main__.py
check "the next version is broken" grep -q 'broken on purpose' /tmp/newer/edge/__main__.py
/tmp/newer/systemd/install.sh --upgrade --wheelhouse /wheels >/tmp/upgrade.log 2>&1
check "an upgrade to a broken version fails" [ $? = 1 ]
check "it says that it has switched back" grep -q 'SWITCHED BACK: the old version runs again' /tmp/upgrade.log
check "it has switched back" eval '[[ $(edge-pose --version) == *9.9.9 ]] && is ActiveState active && [[ $(receive +/info) == *9.9.9* ]]'
echo 'this is not Python' >/tmp/newer/edge/__main__.py
check "an upgrade to a version that does not start at all switches nothing" eval '! /tmp/newer/systemd/install.sh --upgrade --wheelhouse /wheels &&
    [[ $(edge-pose --version) == *9.9.9 ]] && is ActiveState active'

echo "--- removal"
check "--uninstall keeps the configuration" eval '/checkout/systemd/install.sh --uninstall && [[ -f $config && ! -e /opt/edge-pose && ! -e /usr/local/bin/edge-pose ]]'
check "no unit is left" eval '! systemctl cat edge-pose.service'
check "--purge leaves nothing" eval '/checkout/systemd/install.sh --uninstall --purge && [[ ! -e /etc/edge-pose && ! -e /var/lib/edge-pose ]] &&
    ! id edge-pose && ! getent group apex && [[ ! $(find /etc /opt /usr/local -name "*edge-pose*") ]]'
echo "$failures failed"
exit $((failures > 0))
