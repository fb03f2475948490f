#!/bin/sh
# Installs what the tests need and this machine does not have.
set -e
wanted=
command -v chromium >/dev/null || wanted="$wanted chromium"
command -v strace >/dev/null || wanted="$wanted strace"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || wanted="$wanted postgresql-15"
[ -x /usr/sbin/nats-server ] || wanted="$wanted nats-server"
command -v redis-server >/dev/null || wanted="$wanted redis-server"
command -v openssl >/dev/null || wanted="$wanted openssl"
[ -x /usr/bin/node ] || [ -x /usr/local/bin/node ] || wanted="$wanted nodejs"
# Languages are looked for under /usr, whatever else is on the path. Each is named with its package: those that
# are small to install, about 50 MB in all, and the two larger ones that most people ask for.
for language in gcc:gcc g++:g++ python3:python3 perl:perl ruby:ruby php:php-cli lua5.4:lua5.4 fpc:fp-compiler mcs:mono-mcs \
    gfortran:gfortran sqlite3:sqlite3 tclsh:tcl gawk:gawk sbcl:sbcl esbuild:esbuild javac:default-jdk-headless rustc:rustc; do
    [ -x "/usr/bin/${language%:*}" ] || wanted="$wanted ${language#*:}"
done
# The library of the python3 that is there, or is about to be: for the fork server.
python=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo 3.11)
ls /usr/lib/*/libpython"$python".so.1.0 >/dev/null 2>&1 || wanted="$wanted libpython$python"
if [ -n "$wanted" ]; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $wanted
fi
command -v cargo-nextest >/dev/null || cargo install --quiet --locked cargo-nextest
command -v cargo-deny >/dev/null || cargo install --quiet --locked cargo-deny
