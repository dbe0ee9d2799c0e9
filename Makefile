# Two commands: `make run` and `make test`. `make help` has the others.
#
# ENGINE=v8|quickjs|auto      auto takes V8 where its library can be had, else QuickJS
# CARGO_TARGET_DIR            where cargo builds (default: target)
# CHECKS=NAMES                what `make deny` checks: sources yanked advisories (default: all)
# CASES=all|most|ci|PATTERNS  what `make autobahn` runs (default: all)
# SUITE=DIR                   the checkout that `make wpt`, `make ws-suite` or `make deno-suite` runs
# DENO=BINARY                 a Deno with duplex inside for `make deno-suite` and `make bench`, which
#                             build one otherwise
# SOCKETS=N                   how many `make leak` opens (default: 100000)
# SECONDS=N TARGET=NAMES      how long `make fuzz` runs which targets (default: 60, all)
# SECONDS=N SEED=N            how long `make stress` runs, and what it does (default: 60, any)
# SECONDS=N                   how long `make soak` has traffic (default: 120)
# SEEDS=N SEED=N              how many seeds `make simulate` runs, from which (default: 2000, 1)
# TABLES=NAMES                what `make bench-protocol` prints (default: all)
# WORK=NAMES PEERS=NAMES      what `make bench` measures beside what (default: all)
# ROUNDS=N SECONDS_EACH=N     how often and how long it does (default: 3, 3)
# PACKAGES=all|ci|NAMES       the programs of tests/packages that `make test` (default: ci) and
#                             `make packages` (default: all) run
# WRITE=1                     makes it write docs/performance.md and docs/bench.svg

ENGINE ?= auto
export ENGINE

.DEFAULT_GOAL := help
.PHONY: help run build test test-ignored test-deno-http fmt lint deny v8 bench bench-brokers bench-loops bench-startup bench-protocol specs-on-deno packages autobahn wpt ws-suite leak stress soak simulate fuzz manual deno deno-suite deno-specs crates clean

help: ## Show this help
	@echo 'usage: make TARGET [ENGINE=v8|quickjs|auto]'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build duplex and run examples/echo.ts
	@scripts/run

build: ## Build duplex
	@scripts/build

test: ## Run every test: crates, specs, examples, interop, browser
	@scripts/test

test-ignored: ## Run the test that takes too long for each change
	@scripts/test --test service -- --ignored

test-deno-http: ## Test the stand-ins for deno_websocket and deno_http
	@scripts/test-deno-http

fmt: ## Format Rust and JavaScript
	@scripts/lint --fix

lint: ## Check formatting, clippy and the JavaScript linter
	@scripts/lint

deny: ## Check licenses, sources and known faults of all dependencies
	@scripts/deny $(CHECKS)

v8: ## Build V8's static library from source, for closed networks (about 40 minutes)
	@scripts/v8/build

bench: ## Measure servers and clients beside Deno, Bun, ws and uWebSockets.js
	@WORK='$(WORK)' PEERS='$(PEERS)' ROUNDS='$(ROUNDS)' SECONDS_EACH='$(SECONDS_EACH)' WRITE='$(WRITE)' scripts/bench

bench-loops: ## Measure topics across event loops
	@ROUNDS='$(ROUNDS)' scripts/bench-loops

bench-brokers: ## Measure two servers on NATS and Redis beside Bun and Socket.IO
	@ROUNDS='$(ROUNDS)' SECONDS_EACH='$(SECONDS_EACH)' scripts/bench-brokers

bench-startup: ## Time the start of a script in duplex, Deno and Bun
	@scripts/bench-startup

bench-protocol: ## Time the protocol crate beside fastwebsockets, tokio-websockets, tungstenite
	@scripts/bench-protocol $(TABLES)

specs-on-deno: ## Run tests/specs with Deno, to see where the two differ
	@scripts/specs-on-deno

packages: ## Try packages from npm and other systems, and write docs/packages.md and docs/systems.md
	@scripts/packages $(PACKAGES)

autobahn: ## Run the Autobahn suite against duplex, CASES=most or ci for a part of it
	@set -f; scripts/autobahn $(CASES)

wpt: ## Run web-platform-tests against duplex, SUITE=DIR is a checkout of them
	@scripts/wpt $(SUITE)

leak: ## Open and drop 100,000 sockets, and see whether memory grows
	@scripts/leak $(SOCKETS)

stress: ## Run sessions of all kinds against duplex at once, for SECONDS=N
	@scripts/stress '$(SECONDS)' '$(SEED)'

soak: ## Run three processes on NATS and on Redis, which fail under load, SECONDS=N (default: 120)
	@scripts/soak '$(SECONDS)'

simulate: ## Simulate hubs and connections, SEEDS=N from SEED=N on; TRACE=1 prints what happens
	@TRACE='$(TRACE)' scripts/simulate '$(SEEDS)' '$(SEED)'

fuzz: ## Fuzz the protocol crate and the first packet of the HTTP crate
	@scripts/fuzz $(or $(SECONDS),60) $(TARGET)

ws-suite: ## Run the tests of the package ws, a checkout of which is in SUITE=DIR
	@scripts/ws-suite '$(SUITE)'

manual: ## Build the manual as a book, and check its links
	@scripts/manual

crates: ## Pack the crates as for crates.io, and look whether all is in
	@scripts/crates

deno: ## Build Deno with duplex inside (about an hour of one core), and say where it is
	@scripts/deno

deno-suite: ## Run Deno's own tests of WebSockets on it, SUITE=DIR is a checkout of Deno
	@scripts/deno-suite '$(SUITE)'

deno-specs: ## Run the specs of websocket, websocketstream and serve on it
	@scripts/deno-specs

clean: ## Remove what was built
	@scripts/clean
