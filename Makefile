# The ways in: `make run`, `make test`, `make bench`.

export TS_RS_LARGE_INT := number
BENCHES := sit startup store postgres board fanout-one2k fanout-one8k fanout-many8k storm runner burst compile
CARGO := cargo --quiet

SEEDS := 1000

.PHONY: simulate bench-prerequisites run test web prerequisites format lint licences rust-test web-test browser-test bench soak-runner test-vm $(BENCHES:%=bench-%)

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
	$(CARGO) build -p gateway -p runner -p storage --bins --examples
	cargo nextest run --workspace --no-fail-fast

# A cluster in one process under seeded faults: many seeds, or with `SEED=n` one, with its log.
simulate:
	$(CARGO) build --profile simulate -p simulation
	./target/simulate/simulate $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

web-test: web
	cd web && npm run check && npm test

browser-test: web
	$(CARGO) build -p gateway
	cd web && npm run e2e

# All measurements, then one table of the last results.
bench: $(BENCHES:%=bench-%)
	@sh scripts/bench-table.sh

bench-sit: web
	$(CARGO) build --release -p gateway -p loadtests
	ulimit -n 8192 && ./target/release/loadtests sit --candidates 1000 --spawn target/release/polycode

bench-startup: web
	$(CARGO) build --release -p gateway -p loadtests
	./target/release/loadtests startup --spawn target/release/polycode

bench-store:
	$(CARGO) build --release -p loadtests
	./target/release/loadtests journal

# Needs Debian's redis-server; one of its own is started and stopped.
bench-board:
	$(CARGO) build --release -p loadtests
	./target/release/loadtests board

# In turns with pgbench, on a PostgreSQL that it starts itself.
bench-postgres:
	$(CARGO) build --release -p loadtests
	ulimit -n 8192 && ./target/release/loadtests postgres

# The gateway alone beside servers that do nothing but this, by a neutral client that comes with the
# shared data (`POLYCODE_SHARED`); seven turns each.
bench-fanout-one2k bench-fanout-one8k bench-fanout-many8k: bench-fanout-%:
	$(CARGO) build --release -p gateway --example fan_server -p loadtests
	@sh scripts/bench-fanout.sh
	ulimit -n "$$(ulimit -Hn)" && ./target/release/loadtests fanout --scenario $*

bench-storm: web
	$(CARGO) build --release -p gateway -p loadtests
	ulimit -n "$$(ulimit -Hn)" && ./target/release/loadtests storm --spawn target/release/polycode

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

bench-burst: web
	$(CARGO) build --release -p gateway -p loadtests
	./target/release/loadtests burst --spawn target/release/polycode

# The runner's tests on control groups v2, in a guest. Not part of `test`: it needs QEMU, and half an
# hour and more where there is no KVM. `make test-vm ONLY=limits::` runs some of them.
test-vm:
	@sh scripts/test-vm.sh
