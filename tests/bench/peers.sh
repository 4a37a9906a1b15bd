#!/usr/bin/env bash
# Installs the programs that the bench compares with, into a virtual environment of their own. What cannot be had is told, and
# the bench goes on without it.
set -uo pipefail
cd "$(dirname "$0")/../.."

venv=target/bench-venv wanted=tests/bench/requirements.txt
cmp -s $wanted $venv/installed.txt && exit 0
python3 -m venv $venv && $venv/bin/pip install -q -r $wanted && cp $wanted $venv/installed.txt && exit 0
echo "the bench runs without moto and ministack: pip could not install $(paste -sd' ' $wanted)" >&2
