#!/usr/bin/env bash
# The checks, as root inside the booted Debian that run.sh has made: a line each, ok or FAIL.
# What a check does is text that `check` evaluates, so:
# shellcheck disable=SC2016,SC2317,SC2034
set -uo pipefail
failures=0
config=/etc/edge-pose/edge-pose.toml
check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >/tmp/said 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        sed 's/^/        /' /tmp/said | tail -15
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
hear() { # TOPIC [OPTION...]: one message
    local topic=$1
    shift
    mosquitto_sub -h 127.0.0.1 -u edge-pose -P "$secret" -t "edge-pose/$topic" -C 1 -W 10 "$@"
}
status_is() { [[ $(hear '+/status') == "$1" ]]; }
set_key() { sed -i "s|^$1 = .*|$1 = $2|" "$config"; }
settle() { # the daemon is up, its broker is, and nothing it did before counts
    systemctl reset-failed edge-pose.service
    systemctl start edge-pose.service
}

ip link set lo up
echo "--- the installer"
/checkout/systemd/install.sh --broker-local --wheelhouse /wheels >/tmp/install.log 2>&1
check "installs, without a network" [ $? = 0 ]
check "says which numpy there is" grep -q "numpy .* (apt's)" /tmp/install.log
check "says why it does not run yet" grep -q 'EDGE-POSE DOES NOT RUN YET' /tmp/install.log
secret=$(cat /etc/edge-pose/mqtt_password)
check "systemd understands each line of the units" eval '[[ ! $(systemd-analyze verify edge-pose.service 2>&1 | grep edge-pose) ]]'
check "exposure is 1.5 at most" systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/edge-pose.service
check "mosquitto refuses clients without a password" eval 'mosquitto_sub -h 127.0.0.1 -t "#" -C 1 -W 2; [[ $? = 5 || $? = 135 ]]'

echo "--- a life"
systemctl stop edge-pose.service
set_key source '"synthetic:nobody"'
systemctl start edge-pose.service 2>/dev/null
check "a configuration that is wrong (78) is not tried again" eval 'is ExecMainStatus 78 && is NRestarts 0 && is ActiveState failed'
set_key source '"synthetic:walk"'
settle
check "READY after the first frame" eval 'is ActiveState active && [[ $(hear +/info) == *\"frame\":{\"width\":640* ]]'
check "«online»" status_is online
check "the state as a line" eval '[[ $(unit StatusText) == *fps*person* ]]'
pid=$(unit MainPID)
sum=$(sha256sum $config /etc/edge-pose/mqtt_password)
check "installing again changes nothing" eval '/checkout/systemd/install.sh --wheelhouse /wheels &&
    is MainPID $pid && [[ $(sha256sum $config /etc/edge-pose/mqtt_password) == "$sum" ]]'

echo "--- the password"
check "is in no environment" not grep -qF "$secret" "/proc/$pid/environ" "/proc/$pid/cmdline"
check "the daemon's user cannot read its file" not runuser -u edge-pose -- cat /etc/edge-pose/mqtt_password
check "and gets it from systemd" grep -qz ^CREDENTIALS_DIRECTORY= "/proc/$pid/environ"

echo "--- reload"
set_key width 320
check "takes a good configuration, in the same process" eval 'systemctl reload edge-pose &&
    until_true eval "[[ \$(hear +/info) == *\\\"width\\\":320* ]]" && until_true is ActiveState active && is MainPID $pid'
set_key fps -1
check "refuses a bad one" not systemctl reload edge-pose
((pid > 0)) && kill -HUP "$pid"
check "and says so, also to a plain SIGHUP" until_true eval '[[ $(unit StatusText) == *refused*camera.fps* ]]'
check "the old one goes on" eval 'until_true is ActiveState active && is MainPID $pid && hear +/keypoints && is NRestarts 0'
set_key fps 15.0
check "and a good one is taken again" eval 'systemctl reload edge-pose && until_true eval "[[ \$(unit StatusText) == *online ]]"'

echo "--- ends"
mosquitto_sub -h 127.0.0.1 -u edge-pose -P "$secret" -t 'edge-pose/+/status' >/tmp/statuses &
ear=$!
until_true grep -q online /tmp/statuses
systemctl kill --signal=KILL edge-pose.service
check "SIGKILL: «offline» by the last will, a restart, «online»" \
    until_true eval '[[ $(tr "\n" " " </tmp/statuses) == "online offline online " ]]'
check "by systemd" eval 'is NRestarts 1 && not is MainPID $pid'
mkdir -p /etc/systemd/system/edge-pose.service.d
printf '[Service]\nWatchdogSec=2s\n' >/etc/systemd/system/edge-pose.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart edge-pose.service
pid=$(unit MainPID)
((pid > 0)) && kill -STOP "$pid" # 0 would be we ourselves
check "the watchdog ends a hang" until_true eval 'journalctl -u edge-pose | grep -q "Watchdog timeout" && is NRestarts 1'
check "and it runs again" until_true eval 'is ActiveState active && not is MainPID $pid'
rm -r /etc/systemd/system/edge-pose.service.d
systemctl daemon-reload
settle
before=$(date +%s%N)
systemctl stop edge-pose.service
took_ms=$((($(date +%s%N) - before) / 1000000))
check "SIGTERM: ends within 2 s (in $took_ms ms)" [ $took_ms -lt 2000 ]
check "cleanly, with «offline»" eval 'is Result success && [[ $(tail -1 /tmp/statuses) == offline ]]'
kill "$ear"

echo "--- the sandbox"
mknod -m 660 /dev/edge-pose-null c 1 3 # what a camera's device is like: its group's, and allowed by the unit
chgrp video /dev/edge-pose-null
mkdir -p /home/someone && echo private >/home/someone/file && chmod -R a+rX /home/someone
sed -e 's|^ExecStart=.*|ExecStart=/opt/edge-pose/bin/python /checkout/tests/systemd/probe.py|' -e 's/^Type=.*/Type=oneshot/' \
    -e '/^ExecReload\|^Watchdog\|^Restart\|^NotifyAccess/d' /etc/systemd/system/edge-pose.service \
    >/etc/systemd/system/edge-pose-probe.service
systemctl daemon-reload
systemctl start edge-pose-probe.service
while read -r verdict name; do check "$name" [ "$verdict" = ok ]; done \
    < <(journalctl -u edge-pose-probe -o cat | sed -n 's/^probe: //p')
check "the probe came to its end" is Result success edge-pose-probe.service
for _ in 1 2 3; do # in turns, as the machine may have other things to do
    /opt/edge-pose/bin/python /checkout/tests/systemd/probe.py --invoke >>/tmp/outside 2>/dev/null
    systemctl start edge-pose-probe.service
done
fastest() { sed -n 's/^invoke: //p' | sort -n | head -1; }
inside_ms=$(journalctl -u edge-pose-probe -o cat | fastest)
outside_ms=$(fastest </tmp/outside)
echo "      an invoke takes $inside_ms ms inside and $outside_ms ms outside:" \
    "$(awk "BEGIN { printf \"%.3f\", $inside_ms / $outside_ms }") times as long"
rm /etc/systemd/system/edge-pose-probe.service

echo "--- several cameras"
sed -e 's/^id = ""/id = "door"/' $config >/etc/edge-pose/door.toml
systemctl start edge-pose@door.service
check "edge-pose@door runs beside the first" eval 'settle; is ActiveState active edge-pose@door.service && [[ $(hear door/status) == online ]]'
systemctl stop edge-pose@door.service

echo "--- upgrade"
cp -r /checkout /tmp/newer
sed -i 's/^__version__ = .*/__version__ = "9.9.9"/' /tmp/newer/edge/__init__.py
old_keys() { # FILE: give it the names of version 0.1
    sed -i -e 's/^retry_s = /probe_s = /' -e '/^\[people\]/d' -e '/^\[decode\]/d' -e '/^mode = /d' -e '/^max_people = /d' \
        -e '/^nms_radius_px = /d' -e 's/^detect_lying = .*/[decode]\nturned = true  # mine/' "$1"
}
old_keys $config
old_keys /etc/edge-pose/door.toml
check "the old names of keys are accepted with a warning" eval 'edge-pose check --offline 2>&1 | grep "turned is now called people.detect_lying"'
before=$(sha256sum <$config)
check "--dry-run changes nothing" eval '/tmp/newer/systemd/install.sh --upgrade --dry-run && [[ $(edge-pose --version) != *9.9.9 ]]'
check "to a good version" eval '/tmp/newer/systemd/install.sh --upgrade --wheelhouse /wheels &&
    [[ $(edge-pose --version) == *9.9.9 ]] && is ActiveState active && [[ $(hear +/info) == *9.9.9* ]]'
check "renames the keys in every configuration" eval 'edge-pose check --offline 2>&1 | not grep "is now called" &&
    grep "^detect_lying = true *# mine" $config /etc/edge-pose/door.toml && ! grep -E "^(turned|probe_s)" $config /etc/edge-pose/door.toml'
check "and keeps the old file" eval '[[ $(sha256sum <$config.bak) == "$before" && -f /etc/edge-pose/door.toml.bak ]]'
# It can be built and answers --version, but does not run as a daemon.
sed -i 's/^__version__ = .*/__version__ = "10.0.0"/' /tmp/newer/edge/__init__.py
broken='if "run" in sys.argv: raise RuntimeError("broken on purpose")'
sed -i "s/^def main() -> None:/&\n    $broken/" /tmp/newer/edge/__main__.py
check "a version was broken for the next checks" grep -q 'broken on purpose' /tmp/newer/edge/__main__.py
/tmp/newer/systemd/install.sh --upgrade --wheelhouse /wheels >/tmp/upgrade.log 2>&1
check "to a broken one fails" [ $? = 1 ]
check "and says that it went back" grep -q 'SWITCHED BACK: the old version runs again' /tmp/upgrade.log
check "and did" eval '[[ $(edge-pose --version) == *9.9.9 ]] && is ActiveState active && [[ $(hear +/info) == *9.9.9* ]]'
echo 'this is not Python' >/tmp/newer/edge/__main__.py
check "to one that does not even start: nothing is switched" eval '! /tmp/newer/systemd/install.sh --upgrade --wheelhouse /wheels &&
    [[ $(edge-pose --version) == *9.9.9 ]] && is ActiveState active'

echo "--- removal"
check "--uninstall keeps what is the owner's" eval '/checkout/systemd/install.sh --uninstall && [[ -f $config && ! -e /opt/edge-pose && ! -e /usr/local/bin/edge-pose ]]'
check "no unit is left" eval '! systemctl cat edge-pose.service'
check "--purge leaves nothing" eval '/checkout/systemd/install.sh --uninstall --purge && [[ ! -e /etc/edge-pose && ! -e /var/lib/edge-pose ]] &&
    ! id edge-pose && ! getent group apex && [[ ! $(find /etc /opt /usr/local -name "*edge-pose*") ]]'
echo "$failures failed"
exit $((failures > 0))
