# The commands of Fogbank. Each installs what it needs on a Debian 12 with Rust, as root.

SHELL := /bin/bash
ARGS ?=

.PHONY: build run test soak lint bench deps deps-lint clean help

help: ## what there is to run
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

deps: ## packages that the lab and the tests use
	@tests/deps.sh

deps-lint:
	@tests/deps.sh lint

build: ## the binary, in the one profile of clippy, tests and lab
	cargo build --locked

run: deps build ## build, start the lab, play the story, leave it serving (ARGS=--once: only the verdict)
	@examples/story $(ARGS)

test: deps ## every test
	@tests/run.sh

soak: deps ## the random tests for longer (FOGBANK_SOAK=N: as long as N runs of `make test`, 10 by default)
	@tests/soak.sh

bench: deps ## figures beside their baselines, into docs/BENCHMARKS.md (ARGS=api: one part; FOGBANK_BENCH_SMALL=1: only to try it)
	@tests/bench/peers.sh
	cargo bench --locked --bench fogbank -- $(ARGS)

lint: deps-lint ## formatting, clippy with warnings denied, licences and sources
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo deny --locked check bans licenses sources

clean:
	rm -rf target .venv
