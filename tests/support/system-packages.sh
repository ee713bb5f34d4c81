#!/bin/sh
# Install the programs that some tests need. Without a program, its tests are skipped with a message.
set -eu
missing=
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$missing mosquitto"
command -v mosquitto_sub >/dev/null || missing="$missing mosquitto-clients"
command -v ffmpeg >/dev/null || missing="$missing ffmpeg"
command -v tcpdump >/dev/null || missing="$missing tcpdump"
command -v jq >/dev/null || missing="$missing jq"
command -v openssl >/dev/null || missing="$missing openssl"
echo 'int main(void) { return 0; }' | cc -x c -o /dev/null - 2>/dev/null || missing="$missing gcc libc6-dev"
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # one argument per package
    "$(dirname "$0")/apt.sh" $missing || echo "NOT INSTALLED, so tests will be skipped:$missing" >&2
fi
