#!/bin/sh
# Checks what `make run` needs, and says in one line what is missing.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }
rust=$(rustc --version 2>/dev/null | cut -d' ' -f2)
node=$(node --version 2>/dev/null | tr -d v)
missing=
at_least 1.95 "${rust:-0}" || missing="$missing Rust ≥ 1.95 (found ${rust:-none})"
at_least 20.19 "${node:-0}" || missing="$missing Node ≥ 20.19 (found ${node:-none})"
command -v cc >/dev/null || missing="$missing build-essential"
[ -z "$missing" ] || { echo "Polycode needs:$missing. See README.md." >&2; exit 1; }
