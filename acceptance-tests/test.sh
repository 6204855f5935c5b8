#!/usr/bin/env bash
# `make test`: sets up what is needed, then runs every check and test. Ends with cargo's own result lines.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$(date +%s)
say() { printf '\n== %s (%s s)\n' "$*" "$(($(date +%s) - start))"; }

say "tools (in the background: the Go builds wait for nothing of ours)"
log=$(mktemp)
python3 acceptance-tests/tools/tools.py ensure >"$log" 2>&1 &
tools=$!
trap 'kill $tools 2>/dev/null || true; rm -f "$log"' EXIT

say "formatting"
cargo fmt --all --check

say "build"
cargo build --workspace --all-targets

say "clippy"
cargo clippy --workspace --all-targets -- -D warnings

say "waiting for tools"
wait $tools || { cat "$log"; exit 1; }

say "documentation is up to date"
acceptance-tests/docs.sh check

say "tests"
cargo test --workspace --no-fail-fast
