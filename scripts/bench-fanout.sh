#!/bin/sh
# The neutral client and the servers that the gateway is measured beside, built once.
set -e
shared=${POLYCODE_SHARED:-../shared}/tools/wsbench
here=$(realpath -m "${CARGO_TARGET_DIR:-target}")/wsbench
if [ ! -d "$shared" ]; then
    echo "no $shared: there is nothing to measure with"
    exit 1
fi
if [ ! -x "$here/target/release/wsbench" ]; then
    mkdir -p "$here"
    cp -a "$shared/." "$here/"
    (cd "$here" && cargo --quiet build --release)
    (cd "$here/peers/node" && npm install --silent --no-audit --no-fund) || echo "without Node's servers"
fi
command -v nats-server >/dev/null || echo "without nats-server: apt-get install nats-server"
