#!/usr/bin/env bash
# Installs what the lab and the tests need, and says clearly what is missing where it cannot.
# With `lint`, only what `make lint` needs.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'fogbank: %s\n' "$*" >&2; exit 1; }

command -v cargo >/dev/null || die "cargo is missing: install Rust, see https://rustup.rs"

# The program that shows a package is there, and the package.
declare -A packages=([cc]=gcc [nft]=nftables [ip]=iproute2 [curl]=curl [ping]=iputils-ping [sysctl]=procps [/bin/busybox]=busybox-static [dhclient]=isc-dhcp-client
    [/usr/lib/postgresql/15/bin/postgres]=postgresql-15)

apt_install() {
    command -v apt-get >/dev/null || die "these programs are missing and there is no apt-get: $*"
    [ "$(id -u)" = 0 ] || die "these packages are missing: $* (run as root, or apt-get install them)"
    apt-get install -y -q "$@" >/dev/null 2>&1 && return
    # A fresh machine has no package lists yet.
    { apt-get update -q && apt-get install -y -q "$@"; } >&2 || die "apt-get could not install: $*"
}

system_packages() {
    local missing=() program
    for program in "${!packages[@]}"; do
        command -v "$program" >/dev/null || missing+=("${packages[$program]}")
    done
    # busybox (dynamic) has the same path as busybox-static, and cannot run in an empty image.
    if [ -e /bin/busybox ] && ldd /bin/busybox >/dev/null 2>&1; then missing+=(busybox-static); fi
    case " ${missing[*]} " in *" postgresql-15 "*) no_cluster_of_its_own ;; esac
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

# Debian's package would make a cluster and start it on port 5432; we only want the programs.
no_cluster_of_its_own() {
    [ -e /etc/postgresql-common/createcluster.conf ] || apt_install postgresql-common
    ls /etc/postgresql/*/ >/dev/null 2>&1 || sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
}

# The package that carries the collection amazon.aws 10.1.2, of which only that is taken: 4 MB out of 54, 200 files of 21,000.
COLLECTIONS=ansible==12.3.0
amazon_aws() {
    local venv=$1 scratch
    scratch=$(mktemp -d)
    $venv/bin/pip download -q --no-deps --only-binary :all: -d "$scratch" $COLLECTIONS || die "pip could not fetch $COLLECTIONS"
    $venv/bin/python - "$scratch"/*.whl $venv/collections <<'EOF'
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith("ansible_collections/amazon/aws/")])
EOF
    rm -rf "$scratch"
}

# The clients that the tests speak with, in a virtual environment of our own.
python_packages() {
    local venv=.venv wanted=tests/requirements.txt
    if [ -x $venv/bin/aws ] && [ -d $venv/collections ] && cmp -s $wanted $venv/installed.txt; then return; fi
    command -v python3 >/dev/null || apt_install python3 python3-venv
    python3 -m venv $venv 2>/dev/null || { apt_install python3-venv; python3 -m venv $venv; }
    $venv/bin/pip install -q -r $wanted || die "pip could not install $(paste -sd' ' $wanted)"
    amazon_aws $venv
    cp $wanted $venv/installed.txt
}

# Pinned: a new release may know lints or licence terms that this tree does not.
DENY=0.20.2
lint_programs() {
    command -v cc >/dev/null || apt_install gcc
    cargo fmt --version >/dev/null 2>&1 || die "rustfmt is missing: rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || die "clippy is missing: rustup component add clippy"
    cargo deny --version >/dev/null 2>&1 ||
        cargo install --quiet --locked cargo-deny --version $DENY --no-default-features || die "cargo could not install cargo-deny"
}

case "${1:-all}" in
    lint) lint_programs ;;
    all) system_packages && python_packages ;;
    *) die "usage: tests/deps.sh [lint]" ;;
esac
