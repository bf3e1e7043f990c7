# What packagers and newcomers type. `make help` explains.

PREFIX   ?= /usr
PROVIDER ?= native
OCF_ROOT ?= $(PREFIX)/lib/ocf
DESTDIR  ?=
CARGO    ?= cargo
# Binaries that go into the provider's directory.
AGENTS   = IPaddr2 apache nginx Dummy
# Where the binaries are. If it is given, they are taken as they are, and nothing is built.
ifndef BUILT
BUILT   := $(or $(CARGO_TARGET_DIR),target)/release
BUILD    = build
endif

PLACES = DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' OCF_ROOT='$(OCF_ROOT)' PROVIDER='$(PROVIDER)' BUILT='$(BUILT)' \
	AGENTS='$(AGENTS)'

.PHONY: help build test test-slow bench demo lint deny install uninstall clean

help:
	@echo 'make build      release binaries in target/release'
	@echo 'make test       formatting, lints, unit tests, and the suites in namespaces (root, or user namespaces)'
	@echo 'make test-slow  the suites with more rounds where chance plays a part, and those that take minutes'
	@echo 'make demo       a virtual address that moves between two hosts, live'
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

demo:
	@$(CARGO) build --workspace --locked
	@$(CARGO) run --quiet --locked -p ocf-agents-tests --bin ocf-demo -- $(DEMO)

bench: build
	$(CARGO) run --release --locked -p ocf-agents-tests --bin ocf-bench -- $(BENCH)

deny:
	$(CARGO) deny check

install: $(BUILD)
	@$(PLACES) packaging/install install

uninstall:
	@$(PLACES) packaging/install uninstall

man:
	$(CARGO) run --quiet --locked -p ocf-agents-docs -- metadata

clean:
	$(CARGO) clean
