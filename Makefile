# Everything a person or a CI does with this project. `make` lists the targets.
# Needed: a Swift 6.3 toolchain. Debian packages that are missing are installed by the targets that need them.

SWIFT ?= swift
PORT ?= 4000
CONFIG ?= examples/quickstart.yaml
CONFORMANCE ?= ../shared/conformance

TAGWAY := .build/release/tagway
CONFORMANCE_VENV := .build/conformance-venv
# What an executable holds within itself: Swift's runtime, and the C++ library that this needs. The linker takes the archive
# because it lies alone in a folder that is searched first; without one it takes the shared library.
ARCHIVES := .build/archives
CXX_ARCHIVE := $(lastword $(wildcard /usr/lib/gcc/*/*/libstdc++.a))
INSIDE := -Xswiftc -static-stdlib $(if $(CXX_ARCHIVE),-Xswiftc -L$(ARCHIVES))
# The optimiser is told what requests run and how often (`make profile`). Without a toolchain's llvm-profdata it goes without.
# The compiler does not notice another profile where the code is the same: so a profile has a name of its own, and nothing
# that was compiled is taken for what would be. A function that has changed since is compiled without one, silently.
TOOLCHAIN := $(dir $(realpath $(shell command -v $(SWIFT))))
PROFDATA := $(wildcard $(TOOLCHAIN)llvm-profdata)
PROFILE := $(CURDIR)/.build/profile-$(firstword $(shell cksum Sources/profile.txt)).profdata
GUIDED := $(if $(PROFDATA),$(foreach option,-Xfrontend -always-compile-output-files -Xfrontend -ir-profile-use=$(PROFILE) \
	-Xllvm -no-pgo-warn-mismatch,-Xswiftc $(option)))
OPTIMISED := $(INSIDE) $(GUIDED)

.DEFAULT_GOAL := help
.PHONY: help run build test soak lint check conformance fuzz deps clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, then serve CONFIG (examples/quickstart.yaml) on 127.0.0.1:PORT (4000)
	exec $(TAGWAY) serve --config $(CONFIG) --port $(PORT)

build: deps inputs ## build the release executable, .build/release/tagway, with Swift's runtime inside
	@# Of this input of the linker the package manager does not know.
	@if [ Sources/link-order.txt -nt $(TAGWAY) ]; then rm -f $(TAGWAY); fi
	@$(if $(PROFDATA),,echo "make: no llvm-profdata beside $(SWIFT): the optimiser goes without Sources/profile.txt")
	$(SWIFT) build -c release --product tagway $(OPTIMISED)

.PHONY: inputs
inputs:
	@mkdir -p $(ARCHIVES)
	@$(if $(CXX_ARCHIVE),ln -sf $(CXX_ARCHIVE) $(ARCHIVES)/libstdc++.a)
	@$(if $(PROFDATA),[ -s $(PROFILE) ] || { \
		sed 's|^objects/|$(CURDIR)/.build/$(shell uname -m)-unknown-linux-gnu/release/|' Sources/profile.txt >$(PROFILE).txt \
		&& $(PROFDATA) merge -o $(PROFILE) $(PROFILE).txt && rm $(PROFILE).txt; })

test: deps test-programs ## build and run all tests
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --disable-xctest

soak: build test-programs ## the numbered tests of docs/reliability.md in full, the last for SOAK_MINUTES (60)
	$(SWIFT) build -c release --product load-generator $(OPTIMISED)
	$(SWIFT) build --build-tests
	@SWIFT='$(SWIFT)' SOAK_MINUTES=$(or $(SOAK_MINUTES),60) SOAK_TESTS='$(SOAK_TESTS)' SOAK_TABLE='$(SOAK_TABLE)' \
		Tests/EndToEndTests/soak.sh

lint: ## check the format of every Swift file
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests bench

check: lint build test ## lint, build and test: before each commit

fuzz: deps ## fuzz every parser for SECONDS (300), two at once; TARGETS="json url" chooses
	TAGWAY_FUZZ=1 $(SWIFT) build -c release --product tagway-fuzz --scratch-path .build-fuzz \
		-Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing
	PARALLEL=2 nice Tests/Fuzz/run.sh $(or $(SECONDS),300) $(TARGETS)

conformance: build $(CONFORMANCE_VENV)/done ## run the suite in CONFORMANCE (../shared/conformance) against the release build
	GATEWAY_CMD='$(CURDIR)/$(TAGWAY) serve --config {config} --port {port}' \
	PYTHONDONTWRITEBYTECODE=1 $(CONFORMANCE_VENV)/bin/python -m pytest -q -p no:cacheprovider --rootdir=$(CONFORMANCE) \
		$(PYTEST_ARGS) $(CONFORMANCE)/test_conformance.py

bench: build bench-tools ## measure against nginx, print a table, draw docs/img/bench.svg (BENCH_ARGS, see bench/bench.py)
	python3 bench/bench.py $(BENCH_ARGS)

growth: build bench-tools ## measure cost as work grows, draw docs/img/growth.svg (GROWTH_ARGS, see bench/growth.py)
	python3 bench/growth.py $(GROWTH_ARGS)

guard: build bench-tools ## instructions, allocations and system calls of a request against bench/instructions.json
	python3 bench/guard.py $(GUARD_ARGS)

profile: deps inputs bench-tools ## count what requests run, for the optimiser: writes Sources/profile.txt
	$(SWIFT) build -c release --product tagway --scratch-path .build-profile $(INSIDE) \
		-Xswiftc -Xfrontend -Xswiftc -ir-profile-generate=default.profraw -Xlinker -u__llvm_profile_runtime \
		-Xlinker $(wildcard $(TOOLCHAIN)../lib/clang/*/lib/linux/libclang_rt.profile-$(shell uname -m).a)
	TAGWAY=.build-profile/release/tagway python3 bench/training.py $(PROFDATA)

choice: deps inputs choice-tools ## what choosing among 10, 100 and 1,000 deployments costs (CHOICE_ARGS, see bench/choice.py)
	TAGWAY_CHOICE=1 $(SWIFT) build -c release --product tagway-choice $(OPTIMISED)
	python3 bench/choice.py $(CHOICE_ARGS)

.PHONY: bench growth guard profile choice bench-tools choice-tools test-programs
test-programs: TOOLS = openssl:openssl python3:python3
bench-tools: TOOLS = nginx:nginx-light valgrind:valgrind strace:strace openssl:openssl taskset:util-linux
choice-tools: TOOLS = taskset:util-linux
bench-tools choice-tools test-programs:
	@for tool in $(TOOLS); do \
		command -v $${tool%%:*} >/dev/null || [ -x /usr/sbin/$${tool%%:*} ] || missing="$$missing $${tool##*:}"; \
	done; [ -z "$$missing" ] || $(MAKE) --no-print-directory install-packages PACKAGES="$$missing"

$(CONFORMANCE_VENV)/done:
	@python3 -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory install-packages PACKAGES=python3-venv
	python3 -m venv $(CONFORMANCE_VENV)
	$(CONFORMANCE_VENV)/bin/pip install --quiet --disable-pip-version-check pytest httpx aiohttp pyyaml
	@touch $@

deps: ## install the Debian packages that the build needs and that are missing
	@command -v $(SWIFT) >/dev/null || { echo "make: there is no \`$(SWIFT)\`: install a Swift 6.3 toolchain, or say SWIFT=/path/to/swift" >&2; exit 1; }
	@pkg-config --exists openssl yaml-0.1 2>/dev/null \
		|| $(MAKE) --no-print-directory install-packages PACKAGES="libssl-dev libyaml-dev pkg-config"

# With apt-get as root or through sudo; elsewhere it says what is missing.
.PHONY: install-packages
install-packages:
	@if ! command -v apt-get >/dev/null; then \
		echo "make: please install what Debian calls $(PACKAGES), then try again" >&2; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then SUDO=; \
	elif command -v sudo >/dev/null; then SUDO=sudo; \
	else echo "make: please let root run \`apt-get install $(PACKAGES)\`, then try again" >&2; exit 1; fi; \
	echo "installing $(PACKAGES)"; \
	$$SUDO env DEBIAN_FRONTEND=noninteractive sh -c \
		'apt-get update -qq && apt-get install -qq --no-install-recommends $(PACKAGES) >/dev/null'

include deploy/deploy.mk

clean: ## remove what was built
	rm -rf .build .build-fuzz .build-profile .build-root .build-walks
