# Everything a contributor needs is a target here; `.ci/run` calls the same ones.
#
#   make demo    run the example strategy to its end, with answers from a file
#   make test    build the wheel, install it, run the tests on it from outside the tree
#   make docs    write again the pages that are drawn from the sources, and the conversation that one shows
#   make check   ruff, mypy and the tests on an editable install
#   make chaos   100 sessions under random faults, 200 whose host is killed 50 times, with reports (SEED=7 repeats
#                the plans, CHAOS_ARGS="…" goes to the first, HOSTS_ARGS="…" to the second), then the long soaks
#   make hostile one row for each input that attacks, as root and as nobody; LONG=1 gives each seconds to burn
#   make fuzz    mutated frames against the host's side of the pipes, led by coverage; SECONDS=60 for each target
#   make bench   measure the rows of docs/performance.md; ROWS="1 5" chooses some, QUICK=1 is over in a minute
#   make bench-peers  the same work on other runtimes, in .venv-peers; PEERS="ray dbos" chooses some; about ten minutes
#   make profile where a feed's time goes: a table, and a flame graph in docs/measurements
#
# PYTHON=python3.12 chooses an interpreter, PYTEST_ARGS="-k settings -x" narrows the tests of `make test` and `make check`,
# which are run by two processes; WORKERS=0 has them all in one.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTEST_ARGS ?=
WORKERS ?= 2
SEED ?=
CHAOS_ARGS ?=
HOSTS_ARGS ?=
LONG ?=
SECONDS ?= 60
ROWS ?=
QUICK ?=
PEERS ?=

VENV := .venv
TEST_VENV := .venv-test
PEERS_VENV := .venv-peers
SOURCES := $(shell find actors supervisor src -name '*.py' -o -name '*.lua' -o -name '*.toml' -o -name 'py.typed' | sort)
PIP_FLAGS := --quiet --disable-pip-version-check

.PHONY: help python-found docs demo dev test check lint types wheel chaos mutants hostile fuzz bench bench-peers profile clean FORCE

help:
	@sed -n 's/^#   //p' Makefile

python-found:
	@if [ -z "$(PYTHON)" ]; then echo "no Python 3.11 or newer found; say where with PYTHON=…" >&2; exit 2; fi

# --- the editable install ------------------------------------------------------------------------------------------

# The list of sources is part of the install: a strict editable install links file by file.
$(VENV)/sources: FORCE | python-found
	@mkdir -p $(VENV)
	echo "$(SOURCES)" | cmp -s - $@ || echo "$(SOURCES)" > $@

$(VENV)/demo-installed: $(VENV)/sources pyproject.toml
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install $(PIP_FLAGS) --config-settings editable_mode=strict -e .
	touch $@

$(VENV)/dev-installed: $(VENV)/sources pyproject.toml
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install $(PIP_FLAGS) --config-settings editable_mode=strict -e '.[dev]'
	touch $@ $(VENV)/demo-installed

dev: $(VENV)/dev-installed

demo: $(VENV)/demo-installed
	@$(VENV)/bin/moonward run examples/demo/draft.lua --ctx @examples/demo/ctx.json --answers examples/demo/answers.jsonl

# --- checks --------------------------------------------------------------------------------------------------------

lint: $(VENV)/dev-installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/dev-installed
	$(VENV)/bin/mypy -p moonward -p benchmarks

check: lint types
	$(VENV)/bin/python -P -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

# --- the wheel -----------------------------------------------------------------------------------------------------

FORCE:

wheel: python-found
	@test -x $(TEST_VENV)/bin/pip || $(PYTHON) -m venv $(TEST_VENV)
	rm -rf build/lib build/bdist.* dist
	$(TEST_VENV)/bin/pip wheel $(PIP_FLAGS) --no-deps --wheel-dir dist .

test: wheel
	@wheel=$$(ls $(CURDIR)/dist/moonward-*.whl)
	$(TEST_VENV)/bin/pip install $(PIP_FLAGS) "$$wheel[dev]"
	$(TEST_VENV)/bin/pip install $(PIP_FLAGS) --force-reinstall --no-deps "$$wheel"
	away=$$(mktemp -d)
	trap 'rm -rf "$$away"' EXIT
	cp -r tests docs examples README.md pyproject.toml "$$away"
	cd "$$away"
	MOONWARD_TEST_TREE=$(CURDIR) MOONWARD_TEST_WHEEL="$$wheel" \
		$(CURDIR)/$(TEST_VENV)/bin/python -P -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

# --- longer --------------------------------------------------------------------------------------------------------

docs: $(VENV)/dev-installed
	$(VENV)/bin/python -P docs/render.py
	$(VENV)/bin/python -m benchmarks.pages
	$(VENV)/bin/python -P docs/record_mcp.py

chaos: $(VENV)/dev-installed
	@(cd tests && ../$(VENV)/bin/python -m chaos workers $(if $(SEED),--seed $(SEED)) $(CHAOS_ARGS))
	@(cd tests && ../$(VENV)/bin/python -m chaos hosts $(if $(SEED),--seed $(SEED)) $(HOSTS_ARGS))
	MOONWARD_TEST_LONG=1 $(VENV)/bin/python -P -m pytest -m "chaos or soak" --timeout=1800 $(PYTEST_ARGS)

mutants: $(VENV)/dev-installed
	MOONWARD_TEST_LONG=1 $(VENV)/bin/python -P -m pytest tests/mutants $(PYTEST_ARGS)

hostile: $(VENV)/dev-installed
	export $(if $(LONG),MOONWARD_TEST_LONG=1)
	$(VENV)/bin/python -P -m pytest -m hostile $(if $(LONG),--timeout=600) $(PYTEST_ARGS)
	if [ "$$(id -u)" = 0 ]; then
		$(VENV)/bin/python -P tests/hostile/as_nobody.py -m hostile $(if $(LONG),--timeout=600) $(PYTEST_ARGS)
	fi

fuzz: $(VENV)/fuzz-installed
	$(VENV)/bin/python -P tests/fuzz/run.py --seconds $(SECONDS)

$(VENV)/fuzz-installed: $(VENV)/dev-installed
	$(VENV)/bin/pip install $(PIP_FLAGS) --config-settings editable_mode=strict -e '.[dev,fuzz]'
	touch $@

# --- measuring -----------------------------------------------------------------------------------------------------

$(VENV)/bench-installed: $(VENV)/sources pyproject.toml
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install $(PIP_FLAGS) --config-settings editable_mode=strict -e '.[bench]'
	touch $@ $(VENV)/demo-installed

bench: $(VENV)/bench-installed
	@$(VENV)/bin/python -m benchmarks $(if $(ROWS),--rows "$(ROWS)") $(if $(QUICK),--quick)

$(PEERS_VENV)/installed: benchmarks/peers/requirements.txt | python-found
	@test -x $(PEERS_VENV)/bin/pip || $(PYTHON) -m venv $(PEERS_VENV)
	# one by one: what cannot be installed is a line of the table, and no reason to leave out the others
	grep -v '^#' $< | while read -r peer; do
		$(PEERS_VENV)/bin/pip install $(PIP_FLAGS) "$$peer" || echo "$$peer cannot be installed" >&2
	done
	touch $@

bench-peers: $(VENV)/bench-installed $(PEERS_VENV)/installed
	@$(VENV)/bin/python -m benchmarks.peers $(if $(PEERS),--peers "$(PEERS)") $(if $(QUICK),--quick)

profile: $(VENV)/bench-installed
	@$(VENV)/bin/python -m benchmarks.profile

clean:
	rm -rf build dist $(VENV) $(TEST_VENV) $(PEERS_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
