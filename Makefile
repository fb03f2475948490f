# The ways in: `make run`, `make test`, `make bench`.

export TS_RS_LARGE_INT := number
BENCHES := sit startup store postgres board fanout-one2k fanout-one8k fanout-many8k storm viewers stream slow timers recovery runner burst compile
CARGO := cargo --quiet

SEEDS := 1000

# How long each fuzz target is tried, in seconds.
SECONDS := 60

# How long each soak lasts, in minutes.
MINUTES := 60

.PHONY: simulate cluster cluster-test soak soak-cluster fuzz bench-prerequisites bench-programs run test web prerequisites format lint licences rust-test web-test browser-test bench soak-runner test-vm $(BENCHES:%=bench-%)

# Builds the page and the program, and serves on 127.0.0.1:8080 with the data in ./data.
run: prerequisites web
	$(CARGO) build --release -p gateway
	./target/release/polycode serve

prerequisites:
	@sh scripts/prerequisites.sh

web: web/build/index.html

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

web/build/index.html: web/node_modules/.package-lock.json $(shell find web/src web/static -type f 2>/dev/null)
	cd web && npm run build --silent
	@touch $@

# Everything that must hold before a change is taken.
test: prerequisites
	@sh scripts/test-prerequisites.sh
	$(MAKE) --no-print-directory format web lint licences rust-test web-test browser-test

format:
	cargo fmt --all --check

lint:
	cargo clippy --quiet --workspace --all-targets -- -D warnings

licences:
	cargo deny --log-level error check licenses bans sources

rust-test: web
	$(CARGO) build -p gateway -p runner -p storage -p loadtests --bins --examples
	cargo nextest run --workspace --no-fail-fast

# A cluster in one process under seeded faults: many seeds, or with `SEED=n` one, with its log.
# Ten minutes and more of a cluster at work, one fault after the other; the ledger in target/soak says
# what happened, and the next call goes on behind it.
soak-cluster: web
	$(CARGO) build --release -p gateway -p loadtests
	ulimit -n 8192 && ./target/release/loadtests soak --spawn target/release/polycode --minutes $(MINUTES)

# PostgreSQL, NATS, Redis and three nodes on this machine; prints where they are. Ctrl-C ends them.
cluster: prerequisites web
	@sh scripts/test-prerequisites.sh
	$(CARGO) build --release -p gateway -p loadtests
	./target/release/loadtests cluster --spawn target/release/polycode

simulate:
	$(CARGO) build --profile simulate -p simulation
	./target/simulate/simulate $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

# What clients send, by coverage, each target for so many seconds. Not part of `test`, which has the
# same checks on made-up frames.
fuzz:
	@sh scripts/fuzz.sh $(SECONDS)

web-test: web
	cd web && npm run check && npm test

# The whole story in a browser, on three nodes of which one is killed on the way; once all of them do
# everything, once pages, streams and runs are apart.
cluster-test: web
	$(CARGO) build -p gateway -p loadtests
	cd web && POLYCODE_E2E=cluster npm run e2e -- e2e/story.spec.ts
	cd web && POLYCODE_E2E=cluster POLYCODE_E2E_ROLES="gateway actors,runner actors,runner" \
		npm run e2e -- e2e/story.spec.ts

browser-test: web
	$(CARGO) build -p gateway
	cd web && npm run e2e

# All measurements, then one table of the last results.
bench: $(BENCHES:%=bench-%)
	@sh scripts/bench-table.sh

# Built in one go: cargo would build again what they share for each other choice of programs.
bench-programs: web
	$(CARGO) build --release -p gateway -p loadtests --bins --examples

bench-sit: bench-programs
	ulimit -n 8192 && ./target/release/loadtests sit --candidates 1000 --spawn target/release/polycode

bench-startup: bench-programs
	./target/release/loadtests startup --spawn target/release/polycode

bench-store: bench-programs
	./target/release/loadtests journal

# Needs Debian's redis-server; one of its own is started and stopped.
bench-board: bench-programs
	./target/release/loadtests board

# In turns with pgbench, on a PostgreSQL that it starts itself.
bench-postgres: bench-programs
	ulimit -n 8192 && ./target/release/loadtests postgres

# The gateway alone beside servers that do nothing but this, by a neutral client that comes with the
# shared data (`POLYCODE_SHARED`); seven turns each.
bench-fanout-one2k bench-fanout-one8k bench-fanout-many8k: bench-fanout-%: bench-programs
	@sh scripts/bench-fanout.sh
	ulimit -n "$$(ulimit -Hn)" && ./target/release/loadtests fanout --scenario $*

bench-storm: bench-programs
	ulimit -n "$$(ulimit -Hn)" && ./target/release/loadtests storm --spawn target/release/polycode

# 5,000 screens on one wall, while a hundred candidates score.
bench-viewers: bench-programs
	ulimit -n "$$(ulimit -Hn)" && ./target/release/loadtests viewers --spawn target/release/polycode

# A contest of 2,554 teams and 34,262 runs of the shared data (`POLYCODE_SHARED`), sixty times as fast.
bench-stream: bench-programs
	ulimit -n "$$(ulimit -Hn)" && ./target/release/loadtests stream --spawn target/release/polycode

# What one slow socket costs, and what the others feel of it.
bench-slow: bench-programs
	ulimit -n 8192 && ./target/release/loadtests slow

# 100,000 ends of tests, clocks through a bad network, and liars.
bench-timers: bench-programs
	ulimit -n 8192 && ./target/release/loadtests timers --spawn target/release/polycode

# 10,000 links that end, in every way, and a server that is killed meanwhile.
bench-recovery: bench-programs
	ulimit -n 8192 && ./target/release/loadtests recovery --spawn target/release/polycode

# For so many minutes each: links are cut and the server is killed, then sockets come and go; in
# the end nothing may be lost, and nothing left over.
soak: soak-cluster web
	$(CARGO) build --release -p gateway -p loadtests
	ulimit -n 8192 && ./target/release/loadtests recovery --spawn target/release/polycode --minutes $(MINUTES)
	ulimit -n 8192 && ./target/release/loadtests churn --spawn target/release/polycode --minutes $(MINUTES)

bench-runner:
	$(CARGO) build --release -p runner --bins --examples
	./target/release/examples/bench_runner

bench-compile:
	$(CARGO) build --release -p runner --bins --examples
	./target/release/examples/bench_compile

# What the runner is measured against, as far as this system's packages have it.
bench-prerequisites:
	@sh scripts/bench-prerequisites.sh

# Ten thousand runs, and what is there before and after them.
soak-runner:
	$(CARGO) build --release -p runner --bins --examples
	./target/release/examples/soak_runner 10000

bench-burst: bench-programs
	./target/release/loadtests burst --spawn target/release/polycode

# The runner's tests on control groups v2, in a guest. Not part of `test`: it needs QEMU, and half an
# hour and more where there is no KVM. `make test-vm ONLY=limits::` runs some of them.
test-vm:
	@sh scripts/test-vm.sh
