#!/usr/bin/env bash
# Every test: Rust's own, then the clients' against a lab, then the story.
set -euo pipefail
cd "$(dirname "$0")/.."

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --no-fail-fast
else
    # The thousand agents, and the clients whose waits are measured, have the machine for themselves.
    measured=(abuse::good abuse::ten abuse::large)
    cargo test --locked --no-fail-fast -- "${measured[@]/#/--skip=}" --skip=a_rule_change_reaches_a_thousand_hosts
    cargo test --locked --test api -- --test-threads=1 "${measured[@]}"
    cargo test --locked --test fanout
fi
# The program is there: the tests were built with it. `cargo build` would make another, as tests have features of libraries switched on.
if [ "$(id -u)" != 0 ]; then
    echo "the tests with clients and packets were NOT run: a lab is made of network namespaces, run as root" >&2
    exit 1
fi
# They wait more than they compute: two at a time, but for those that measure how long something was unanswered.
clients=(.venv/bin/pytest -q -p no:cacheprovider tests/clients)
"${clients[@]}" -m "not alone" -n 2 --dist loadfile
"${clients[@]}" -m alone
examples/story --once
