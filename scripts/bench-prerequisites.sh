#!/bin/sh
# Installs what the runner and the board are measured against, where this machine's packages have
# it. The runner's bench does without those that are not there.
set -e
sudo=$([ "$(id -u)" = 0 ] || echo sudo)
$sudo apt-get update -qq
for package in bubblewrap nsjail isolate runc crun redis-server; do
    if apt-cache show "$package" >/dev/null 2>&1; then
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$package"
    else
        echo "no package: $package"
    fi
done
