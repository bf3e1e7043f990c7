# What packagers and newcomers type. `make help` explains.

PREFIX   ?= /usr
PROVIDER ?= native
OCF_ROOT ?= $(PREFIX)/lib/ocf
DESTDIR  ?=
CARGO    ?= cargo
# Binaries that go into the provider's directory.
AGENTS   = IPaddr2 apache nginx haproxy ldirectord systemd Dummy

.PHONY: help build test test-slow cluster-test bench demo lint deny install uninstall clean

help:
	@echo 'make build      release binaries in target/release'
	@echo 'make test       formatting, lints, unit tests, and the suites in namespaces (root, or user namespaces)'
	@echo 'make test-slow  the suites with more rounds where chance plays a part, and those that take minutes'
	@echo 'make cluster-test  real clusters, whole: every scenario, side by side with the shell agents, 500 addresses'
	@echo 'make demo       three nodes keep a web site up through one fault after another, live; FAULT=power for one'
	@echo 'make bench      speed beside the shell agent and beside the floor; writes bench-results.json'
	@echo 'make deny       licences, sources and versions of the dependencies (cargo-deny)'
	@echo 'make install    DESTDIR=$(DESTDIR) PROVIDER=$(PROVIDER): agents into $(OCF_ROOT)/resource.d/$(PROVIDER),'
	@echo '                ocf-tester into $(PREFIX)/bin'

build:
	$(CARGO) build --release --workspace --locked

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# The suites run binaries of other members, which cargo does not build for them by itself.
test: lint
	$(CARGO) build --workspace --locked
	$(CARGO) test --workspace --locked

test-slow:
	$(CARGO) build --workspace --locked
	OCF_SLOW=1 $(CARGO) test --workspace --locked
	$(CARGO) test -p ocf-agents-tests --locked -- --ignored

# Release binaries, for what is measured; as root. The scenarios take turns: what one measures no other disturbs.
cluster-test: build
	$(CARGO) test --release -p ocf-agents-tests --locked --test cluster -- --include-ignored

# The program itself, not under cargo: it handles Ctrl-C, and clears up.
demo:
	@$(CARGO) build --quiet --workspace --locked
	@exec "$${CARGO_TARGET_DIR:-target}/debug/ocf-demo" $(FAULT) $(DEMO)

bench: build
	$(CARGO) run --release --locked -p ocf-agents-tests --bin ocf-bench -- $(BENCH)

deny:
	$(CARGO) deny check

install: build
	install -d '$(DESTDIR)$(OCF_ROOT)/resource.d/$(PROVIDER)'
	for agent in $(AGENTS); do \
		install -m 755 "target/release/$$agent" '$(DESTDIR)$(OCF_ROOT)/resource.d/$(PROVIDER)/' || exit 1; \
	done
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 target/release/ocf-tester '$(DESTDIR)$(PREFIX)/bin/'

uninstall:
	for agent in $(AGENTS); do rm -f '$(DESTDIR)$(OCF_ROOT)/resource.d/$(PROVIDER)'/"$$agent"; done
	rm -f '$(DESTDIR)$(PREFIX)/bin/ocf-tester'

clean:
	$(CARGO) clean
