#!/usr/bin/env bash
# The random tests for longer: FOGBANK_SOAK times as many worlds, histories and cases, from other seeds than the last run.
set -euo pipefail
cd "$(dirname "$0")/.."

export FOGBANK_SOAK="${FOGBANK_SOAK:-10}"
export PROPTEST_CASES=$((256 * FOGBANK_SOAK))
[ "$(id -u)" = 0 ] || { echo "packets go through kernels in network namespaces: run as root" >&2; exit 1; }

begun=$SECONDS
# Clients whose waits are measured have the machine for themselves.
measured=(abuse::good abuse::ten abuse::large)
cargo test --locked --test api -- --nocapture --test-threads=1 "${measured[@]}"
cargo test --locked --no-fail-fast --test proof --test api --test fuzz -- --nocapture --test-threads=2 "${measured[@]/#/--skip=}"
cargo test --locked --no-fail-fast --lib -- --test-threads=2
echo "soaked for $((SECONDS - begun)) s, $FOGBANK_SOAK times as much as a test run"
