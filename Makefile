# What packagers and newcomers type. `make help` explains.

PREFIX   ?= /usr
PROVIDER ?= native
OCF_ROOT ?= $(PREFIX)/lib/ocf
DESTDIR  ?=
CARGO    ?= cargo
# Of the portable files and the packages: x86_64 or aarch64.
ARCH     ?= x86_64
# Binaries that go into the provider's directory: those of all members in agents/.
AGENTS  := $(shell sed -n '/^\[\[bin\]\]/,/^$$/s/^name = "\(.*\)"/\1/p' agents/*/Cargo.toml)
# Where the binaries are. If it is given, they are taken as they are, and nothing is built.
ifndef BUILT
BUILT   := $(or $(CARGO_TARGET_DIR),target)/release
BUILD    = build
endif

# For descriptions of packages that are built by other means.
.PHONY: agents
agents:
	@echo $(AGENTS)

PLACES = DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' OCF_ROOT='$(OCF_ROOT)' PROVIDER='$(PROVIDER)' BUILT='$(BUILT)' \
	AGENTS='$(AGENTS)'

.PHONY: help build man pictures notices provide test test-slow fuzz cluster-test package-test bench demo soak lint doc msrv deny dependencies sbom install \
	uninstall staged deb rpm tarball dist portable-test reproducible release clean

help:
	@echo 'make build        release binaries in target/release'
	@echo 'make portable     the same for every distribution: static, musl, in target/$(TARGET)/portable;'
	@echo '                  ARCH=x86_64 or aarch64. Packages and the tarball are made of these'
	@echo 'make install      what is built: agents into $(OCF_ROOT)/resource.d/$(PROVIDER), ocf-tester into $(PREFIX)/bin,'
	@echo '                  man pages and completions. DESTDIR=, PREFIX=, OCF_ROOT=, PROVIDER=; with BUILT=target/release'
	@echo '                  nothing is built'
	@echo 'make uninstall    takes away what make install has put there, and nothing else'
	@echo 'make deb, rpm     packages in target/package (cargo-deb, cargo-generate-rpm), of the portable files'
	@echo 'make tarball      the same as an archive with an installation script'
	@echo 'make dist         the sources with those of all dependencies, to build without a network'
	@echo 'make demo         three nodes keep a web site up through one fault after another, live; FAULT=power for one'
	@echo 'make soak         three nodes under random faults for MINUTES=30, judged by witnesses; SEED=1, AGENTS=shell,'
	@echo '                  ROOT=trixie, REPLAY=file (SHRINK=20: and make it smaller); history and report in target/soak'
	@echo 'make bench        speed beside the shell agent and beside the floor; writes bench-results.json;'
	@echo '                  BENCH="--earlier DIRECTORY": start-up beside the agents of an earlier build, too'
	@echo
	@echo 'make test         formatting, lints, unit tests, and the suites in namespaces (root, or user namespaces); installs'
	@echo '                  what tests/packages lists and is missing here; MISSING=skip leaves tests out instead'
	@echo 'make test-slow    the suites with more rounds where chance plays a part, and those that take minutes:'
	@echo '                  a pair of directors, side by side with the shell agents, in a kernel of its own is half an hour,'
	@echo '                  and so is each system call of each agent that fails in turn'
	@echo 'make fuzz         damaged input for every parser of foreign text, each for SECONDS=60'
	@echo 'make cluster-test real clusters, whole: every scenario, side by side with the shell agents, 500 addresses;'
	@echo '                  ROOT=trixie: the suites of clusters and agents on Debian 13, with Pacemaker 3 (mmdebstrap);'
	@echo '                  FILES=portable: with the files of the packages'
	@echo 'make package-test builds the packages, installs them on simulated machines, and removes them;'
	@echo '                  FRESH="bookworm trixie": on fresh systems of these suites, too (mmdebstrap); with FROM_SOURCE=1'
	@echo '                  packages are built there as well, of what make dist makes, with the Rust of that distribution;'
	@echo '                  AARCH64=1: the files for aarch64, too, under qemu-user-static'
	@echo 'make pictures     draws the values in tests/figures anew; make bench and make cluster-test write such values and'
	@echo '                  their pictures to target/figures'
	@echo 'make man          man pages and completions anew'
	@echo 'make doc          the documentation of the crates, without a warning'
	@echo 'make msrv         checks that the stated version of Rust is enough (rustup installs it)'
	@echo 'make deny         licences, sources and versions of the dependencies (cargo-deny)'
	@echo 'make dependencies how many crates each program is linked with'
	@echo 'make sbom         what they are, as CycloneDX, in target/package (cargo-cyclonedx)'
	@echo 'make reproducible builds twice in two places, and compares'
	@echo 'make release      VERSION=x.y.z: checks, raises the version, commits and tags. DRY_RUN=1 leaves it at a plan'

# Paths of this machine stay out of the binaries: two builds give the same files, wherever they are made.
SOURCES    = --remap-path-prefix=$(CURDIR)=/usr/src/ocf-agents
SOURCES   += --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/usr/src/cargo
# Once only, also where one make calls another: with other flags everything would be compiled again.
C_SOURCES  = $(subst --remap-path-prefix,-ffile-prefix-map,$(SOURCES))
OWN_FLAGS := $(filter-out $(SOURCES),$(RUSTFLAGS))
OWN_CFLAGS := $(filter-out $(C_SOURCES),$(CFLAGS))
build bench cluster-test: export RUSTFLAGS := $(strip $(OWN_FLAGS) $(SOURCES))
build bench cluster-test: export CFLAGS := $(strip $(OWN_CFLAGS) $(C_SOURCES))

# The members of the workspace that are installed. MEMBERS="ocf-ipaddr2 …" builds these alone.
SHIPPED  = $(patsubst %,ocf-%,$(notdir $(wildcard agents/*))) ocf-tester
MEMBERS ?= $(SHIPPED)
# One by one: together, each would get what any of them wants of the crates that they share. For a monitor of nginx that is a
# tenth more instructions.
build:
	for member in $(MEMBERS); do $(CARGO) build --release --locked -p $$member || exit 1; done

# One set of files for every distribution: static and position-independent, with musl, which no system has to have.
TARGET   = $(ARCH)-unknown-linux-musl
PORTABLE = $(or $(CARGO_TARGET_DIR),target)/$(TARGET)/portable
# They begin where shared/src/portable.rs says.
portable: export RUSTFLAGS := $(strip $(OWN_FLAGS) $(SOURCES) -Clink-arg=-eocf_start \
	$(if $(filter aarch64,$(ARCH)),-Crelocation-model=pic))
portable: export CFLAGS := $(strip $(OWN_CFLAGS) $(C_SOURCES))
portable: export CC_x86_64_unknown_linux_musl  ?= musl-gcc
portable: export CC_aarch64_unknown_linux_musl ?= aarch64-linux-gnu-gcc
# Linked by rustc's own linker, with rustc's own musl: no other toolchain of that architecture is needed.
portable: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER ?= $(CURDIR)/metadata/packaging/static-pie-ld
portable: has-target
	for member in $(MEMBERS); do \
		$(CARGO) build --profile portable --locked --target $(TARGET) -p $$member || exit 1; \
	done

HAS_TARGET = [ -d "$$(rustc --print target-libdir --target $(TARGET))" ]

.PHONY: portable has-target
has-target:
	@$(HAS_TARGET) || \
		{ echo 'make portable: the standard library of $(TARGET) is missing: rustup target add $(TARGET)' >&2; exit 1; }

# Two of the portable programs, built quickly, and their lives. Where the target is missing they are not tested.
# (A recipe with $$(MAKE) in it would be run by make -n, too.)
portable-test:
	@if $(HAS_TARGET); then \
		$(CARGO) build --locked --target $(TARGET) -p ocf-dummy -p ocf-ipaddr2 && \
		OCF_PORTABLE='$(abspath $(or $(CARGO_TARGET_DIR),target)/$(TARGET)/debug)' \
			$(CARGO) test -p ocf-agents-tests --test packaging --locked -- portable:: --ignored; \
	else \
		{ echo; echo '***'; \
		echo '*** The portable files are NOT tested here: rustup target add $(TARGET)'; \
		echo '***'; } >&2; \
	fi

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# The programs that the suites run besides cargo. MISSING=skip goes on without those that are missing, and leaves tests out.
provide:
	@tests/provide || [ '$(MISSING)' = skip ]

# The suites run binaries of other members, which cargo does not build for them by itself.
test: provide
	$(MAKE) lint
	$(CARGO) build --workspace --locked
	$(CARGO) test --workspace --locked --no-fail-fast
	$(MAKE) portable-test

test-slow: provide
	$(CARGO) build --workspace --locked
	OCF_SLOW=1 $(CARGO) test --workspace --locked
	$(CARGO) test -p ocf-agents-tests --locked -- --ignored --skip packages:: --skip portable::
	$(MAKE) portable-test

# Each test with `fuzz` in its name or its module. Without the variable it has fixed seeds, and ends after a second.
SECONDS ?= 60
fuzz:
	OCF_FUZZ_SECONDS='$(SECONDS)' $(CARGO) test --workspace --lib --no-fail-fast --locked fuzz

# What was measured, as values and as pictures. (Later members of the workspace are built in target.)
FIGURES = $(or $(CARGO_TARGET_DIR),target)/figures
bench cluster-test: export OCF_FIGURES = $(abspath $(FIGURES))
DRAW    = [ ! -d '$(FIGURES)' ] || $(CARGO) run --quiet --locked -p ocf-agents-docs -- pictures '$(FIGURES)'

# Release binaries, for what is measured; as root. The scenarios take turns: what one measures no other disturbs.
# With ROOT, the suites below run on the userland of that Debian release, with its Pacemaker, servers and systemd.
# With FILES=portable, the agents are those of the packages.
ON_ROOT ?= cluster pacemaker systemd nginx haproxy apache ldirectord ipaddr2 protocol watch tester
ifdef FILES
cluster-test: $(FILES)
cluster-test: export OCF_PORTABLE = $(abspath $(PORTABLE))
endif
ifdef ROOT
cluster-test: build
	$(CARGO) build --release -p ocf-agents-tests --locked --bins
	for suite in $(ON_ROOT); do \
		program=$$($(CARGO) test --release -p ocf-agents-tests --locked --no-run --test $$suite 2>&1 | \
			sed -n 's|.*Executable .*(\(.*\))|\1|p') && \
		tests/system run '$(ROOT)' "$$program" $$([ $$suite != cluster ] || echo --include-ignored) || exit 1; \
	done
else
cluster-test: provide build
	$(CARGO) test --release -p ocf-agents-tests --locked --test cluster -- --include-ignored
	$(DRAW)
endif

# The program itself, not under cargo: it handles Ctrl-C, and clears up.
demo:
	@tests/provide demo
	@if [ -t 2 ]; then $(CARGO) build --workspace --locked; \
	else echo 'Building the agents and the demo; the first time takes minutes.'; $(CARGO) build --quiet --workspace --locked; fi
	@exec "$${CARGO_TARGET_DIR:-target}/debug/ocf-demo" $(FAULT) $(DEMO)

# The program itself, as with the demo. A faulty run has its history, which REPLAY does again.
MINUTES ?= 30
SEED    ?= 1
SOAK = $(if $(REPLAY),--replay '$(REPLAY)' $(if $(SHRINK),--shrink $(SHRINK)),--seconds $$(( $(MINUTES) * 60 )) --seed $(SEED)) \
	$(if $(filter shell,$(AGENTS)),--shell)
soak:
	@$(if $(ROOT),true,tests/provide)
	$(CARGO) build --workspace --locked
	@$(if $(ROOT),tests/system run '$(ROOT)',exec) "$${CARGO_TARGET_DIR:-$(CURDIR)/target}/debug/ocf-soak" $(SOAK)

bench: build
	@$(MAKE) --no-print-directory portable || echo '*** The portable files are NOT measured.' >&2
	$(CARGO) build --release --locked -p ocf-agents-tests --bins
	$(CARGO) run --release --locked -p ocf-agents-tests --bin ocf-bench -- $(BENCH)
	$(DRAW)

doc:
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked

# The version that Cargo.toml states, with the lock file as it is.
msrv:
	$(CARGO) +$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) check --workspace --locked

deny:
	$(CARGO) deny check

install: $(BUILD)
	@$(PLACES) metadata/packaging/install install

uninstall:
	@$(PLACES) metadata/packaging/install uninstall

# Of the values in tests/figures, which a measurement has written to target/figures.
pictures:
	$(CARGO) run --quiet --locked -p ocf-agents-docs -- pictures tests/figures

man:
	$(CARGO) run --quiet --locked -p ocf-agents-docs -- pages metadata

# What goes into packages besides the binaries, and the packages.
PACKAGE = target/package
VERSION = $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml)
# Packages of the same sources are the same: their dates are those of the sources. Not exported to all: it changes with each
# commit, and C code is built again when it does.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
DATED = SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)'

# The licences of what the programs are linked with on a system of this kind.
notices_of = $(CARGO) metadata --format-version 1 --locked --filter-platform $(1) | \
	$(CARGO) run --quiet --locked -p ocf-agents-docs -- notices $(SHIPPED)

notices:
	@mkdir -p $(PACKAGE)
	$(call notices_of,$(TARGET)) >$(PACKAGE)/THIRD-PARTY-NOTICES
	cat metadata/packaging/notices-of-static-files >>$(PACKAGE)/THIRD-PARTY-NOTICES

# The files that packages are made of, where the descriptions of packages look for them.
staged: portable notices
	rm -rf $(PACKAGE)/agents $(PACKAGE)/bin
	mkdir -p $(PACKAGE)/agents $(PACKAGE)/bin
	cp $(addprefix $(PORTABLE)/,$(AGENTS)) $(PACKAGE)/agents/
	cp $(PORTABLE)/ocf-tester $(PACKAGE)/bin/

deb: staged
	$(DATED) metadata/packaging/changelog '$(VERSION)' >$(PACKAGE)/changelog.Debian
	gzip -9nc CHANGELOG.md >$(PACKAGE)/changelog.gz
	for member in ocf-agents-docs ocf-tester; do \
		$(DATED) $(CARGO) deb -q -p $$member --target $(TARGET) --no-build --no-strip --output $(PACKAGE)/ || exit 1; \
	done

# gzip: the way of packing that every rpm knows.
rpm: staged
	for member in metadata ocf-tester; do \
		$(DATED) $(CARGO) generate-rpm -p $$member --target $(TARGET) --payload-compress gzip --output $(PACKAGE)/ || exit 1; \
	done

NAME = ocf-agents-$(VERSION)
# Archives of the same files are the same: order, dates and owners are fixed.
TAR  = tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH)

# For systems without dpkg and rpm, and for images: unpack, ./install.
tarball: staged
	rm -rf $(PACKAGE)/tree
	metadata/packaging/tree $(PACKAGE)/tree/$(NAME)-$(ARCH) $(PACKAGE)
	$(TAR) --zstd -C $(PACKAGE)/tree -cf $(PACKAGE)/$(NAME)-$(ARCH).tar.zst $(NAME)-$(ARCH)
	rm -rf $(PACKAGE)/tree
	cd $(PACKAGE) && sha256sum $(NAME)-$(ARCH).tar.zst >$(NAME)-$(ARCH).tar.zst.sha256

# What a distribution builds from, without a network: the committed sources, those of all dependencies, and what a package is
# described with. xz: dpkg-source takes no other that is as small.
dist:
	rm -rf $(PACKAGE)/dist
	mkdir -p $(PACKAGE)/dist/$(NAME)/.cargo
	git archive HEAD | tar -x -C $(PACKAGE)/dist/$(NAME)
	cd $(PACKAGE)/dist/$(NAME) && $(CARGO) vendor --locked --versioned-dirs vendor >.cargo/config.toml
	$(call notices_of,x86_64-unknown-linux-gnu) >$(PACKAGE)/dist/$(NAME)/THIRD-PARTY-NOTICES
	$(DATED) metadata/packaging/changelog '$(VERSION)' >$(PACKAGE)/dist/$(NAME)/metadata/packaging/debian/changelog
	cp metadata/packaging/copyright $(PACKAGE)/dist/$(NAME)/metadata/packaging/debian/copyright
	sed -e 's/@VERSION@/$(VERSION)/' -e "s/@DATE@/$$(LC_ALL=C date -u -d @$(SOURCE_DATE_EPOCH) '+%a %b %d %Y')/" \
		metadata/packaging/ocf-agents.spec >$(PACKAGE)/dist/$(NAME)/ocf-agents.spec
	XZ_OPT=-T4 $(TAR) --xz -C $(PACKAGE)/dist -cf $(PACKAGE)/$(NAME).tar.xz $(NAME)
	rm -rf $(PACKAGE)/dist
	cd $(PACKAGE) && sha256sum $(NAME).tar.xz >$(NAME).tar.xz.sha256

# What the quick suites leave out, for it needs release binaries: the packages, installed and removed.
package-test: $(if $(AARCH64),aarch64) deb rpm tarball $(if $(FROM_SOURCE),dist)
	$(CARGO) build --workspace --locked
	$(if $(FRESH),$(CARGO) test -p ocf-agents-tests --locked --no-run)
	OCF_FRESH_ROOTS='$(FRESH)' $(CARGO) test -p ocf-agents-tests --test packaging --locked -- packages:: --ignored \
		$(if $(FRESH),,--skip fresh_roots) $(if $(FROM_SOURCE),,--skip from_source) $(if $(AARCH64),,--skip aarch64)

.PHONY: aarch64
aarch64:
	$(MAKE) tarball ARCH=aarch64

reproducible:
	@$(DATED) SHIPPED='$(SHIPPED)' MEMBERS='$(MEMBERS)' metadata/packaging/reproducible

# The tool takes the workspace for one program; what each is linked with, cargo knows.
sbom:
	$(CARGO) cyclonedx --format json --spec-version 1.5 --target "$$(rustc -vV | sed -n 's/^host: //p')" --override-filename sbom
	@mkdir -p $(PACKAGE)
	for member in $(SHIPPED); do \
		directory=$$($(CARGO) pkgid -p $$member | sed 's|^path+file://||; s|#.*||'); \
		$(LINKED) -p $$member | $(CARGO) run --quiet --locked -p ocf-agents-docs -- sbom "$$directory/sbom.json" '$(CURDIR)' \
			>"$(PACKAGE)/$$member.cdx.json" || exit 1; \
	done
	rm -f */sbom.json agents/*/sbom.json

release:
	@CARGO='$(CARGO)' VERSION='$(VERSION)' DRY_RUN='$(DRY_RUN)' metadata/packaging/release

# The crates that the package after it is linked with, one on a line.
LINKED = $(CARGO) tree --locked -e normal --prefix none --format '{p}'

dependencies:
	@for package in $(SHIPPED); do \
		printf '%-16s' $$package; \
		$(LINKED) -p $$package | sed 's/ (\*)//' | grep -v "($(CURDIR)" | sort -u | wc -l; \
	done

clean:
	$(CARGO) clean
