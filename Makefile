# Every target installs what it needs and is missing (packaging/set-up.sh), as root or as a user who may sudo.
# Only mclab and the lab's own tests run as root; everything else runs as you.

PY     := .venv/bin/python
SETUP  := bash packaging/set-up.sh
PYTEST := $(PY) -m pytest -q
# Most of these tests wait for a timer or a peer, so more of them run at once than there are processors.
SIDE_BY_SIDE := -n 4 --dist loadfile
# They mount disks, which a user may not; so they run as root, with the lab's.
MOUNTS := tests/integration/configuration/test_disks.py
# Where the lab's hosts are: netns, or containers.
RUNTIME := netns
# The lab's tools are in /usr/sbin, which is not in a user's PATH.  Under sudo no file of root's is left in the source
# tree: set-up has compiled it already.
ROOT   := $(if $(filter 0,$(shell id -u)),env,sudo env PYTHONDONTWRITEBYTECODE=1) \
          PATH=$(CURDIR)/.venv/bin:$(PATH):/usr/sbin:/sbin

SOAK_S    ?= 1200
SOAK_RATE ?= 5000
FUZZ_S    ?= 600

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check unit conformance integration lab drill bench fuzz set-up set-up-python set-up-tests set-up-bench set-up-containers clean

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

demo: set-up ## two IMS cores up, one user migrated, every step proved from the capture; RUNTIME=containers: in podman
	@$(ROOT) .venv/bin/mclab run migration --runtime $(RUNTIME)

test: set-up-tests ## everything that CI runs: check, unit, conformance, integration, each scenario once that is not long
	@$(MAKE) --no-print-directory check
	$(PYTEST) $(SIDE_BY_SIDE) tests/unit tests/conformance tests/integration --ignore $(MOUNTS)
	$(ROOT) $(PYTEST) -p no:cacheprovider $(MOUNTS) tests/lab -m "not containers"

test-all: test set-up-containers ## the same, then every scenario ten times with a look at what was left, ten runs of chaos, and every scenario once in containers
	$(ROOT) .venv/bin/mclab run --all --repeat 10 --check-clean
	$(ROOT) .venv/bin/mclab drill chaos --runs 10 --seed 77
	$(ROOT) $(PYTEST) -p no:cacheprovider tests/lab -m containers
	$(ROOT) .venv/bin/mclab run --all --runtime containers --check-clean

check: set-up-python ## format, lint, types, architecture
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(PYTEST) tests/test_architecture.py tests/test_documents.py

unit: set-up-python ## unit tests: under a minute, no root
	$(PYTEST) $(SIDE_BY_SIDE) tests/unit tests/test_architecture.py

conformance: set-up-python ## one test per clause
	$(PYTEST) $(SIDE_BY_SIDE) tests/conformance

integration: set-up-tests ## real sockets on loopback, real databases, tshark
	$(PYTEST) $(SIDE_BY_SIDE) tests/integration --ignore $(MOUNTS)
	$(ROOT) $(PYTEST) -p no:cacheprovider $(MOUNTS)

lab: set-up ## the lab's tests alone: real Kamailio, every scenario once that is not long, mutations
	$(ROOT) $(PYTEST) -p no:cacheprovider tests/lab -m "not containers"

drill: set-up ## all scenarios ten times over, nothing left behind; then two proxies under load for SOAK_S seconds
	$(ROOT) .venv/bin/mclab run --all --repeat 10 --check-clean
	$(PY) -m tests.bench.soak --for $(SOAK_S) --rate $(SOAK_RATE)

bench: set-up-bench ## figures; relays against each other (exit 1 on a missed ratio), the splice, hostile messages, start-up, up and down of the lab in both runtimes, the map of a million bindings, CSC-4 at 50/s, migrated against native registration, one by one and at 50/s, the highest rates, mclab verify on 10,000 registrations
	$(PY) tests/bench/bench_splice.py
	$(PY) -m tests.bench.bench_parsing
	$(PY) tests/bench/bench_imports.py
	$(ROOT) $(PY) tests/bench/bench_up_down.py
	$(PY) tests/bench/bench_feed.py
	$(PY) tests/bench/bench_mms.py
	$(PY) tests/bench/bench_csc4.py
	$(ROOT) $(PY) tests/bench/bench_registration.py
	$(ROOT) $(PY) tests/bench/bench_storm.py
	$(ROOT) $(PY) -m tests.bench.bench_verify
	$(ROOT) $(PY) -m tests.bench.bench_relays

fuzz: set-up-tests ## wire, peer, mapping, hidden names and XML for FUZZ_S seconds each, with atheris and hypothesis side by side, then the property tests: 6.5 times FUZZ_S, 65 minutes
	$(PY) -m tests.fuzz.campaign --for $(FUZZ_S)

set-up: ## install what is missing, nothing else
	@$(SETUP) python lab $(filter containers,$(RUNTIME))

set-up-containers:
	@$(SETUP) python lab containers

set-up-python:
	@$(SETUP) python

set-up-tests:
	@$(SETUP) python lab browser judges database

set-up-bench:
	@$(SETUP) compiler judges database python lab

clean: ## remove what was made here: environment, caches; runs/ stays
	rm -rf .venv .set-up .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info *__mypyc*.so diameter_proxy/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
