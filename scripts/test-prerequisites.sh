#!/bin/sh
# Installs what the tests need and this machine does not have.
set -e
wanted=
command -v chromium >/dev/null || wanted="$wanted chromium"
command -v strace >/dev/null || wanted="$wanted strace"
[ -x /usr/bin/python3 ] || wanted="$wanted python3"
[ -x /usr/bin/node ] || [ -x /usr/local/bin/node ] || wanted="$wanted nodejs"
if [ -n "$wanted" ]; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $wanted
fi
command -v cargo-nextest >/dev/null || cargo install --quiet --locked cargo-nextest
command -v cargo-deny >/dev/null || cargo install --quiet --locked cargo-deny
