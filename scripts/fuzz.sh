#!/bin/sh
# Fuzzes what clients send by coverage, each target for so many seconds. What it found stays in
# target/fuzz/corpus, and the next call goes on from there; what fails is in tests/fuzz/artifacts.
# Without a sanitizer, as nothing here is unsafe: so it needs no nightly Rust.
set -e
seconds=${1:-60}
command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz
for target in texts lines; do
    found=target/fuzz/corpus/$target
    mkdir -p "$found"
    cargo fuzz run --sanitizer none --fuzz-dir tests/fuzz --target-dir target/fuzz "$target" "$found" tests/fuzz/seeds/$target \
        -- -max_total_time="$seconds" -max_len=4096 -timeout=5 -dict=tests/fuzz/frames.dict -print_final_stats=1
done
