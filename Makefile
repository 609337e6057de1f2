# Every command of the house. Needs make, Python 3.11 or later with its venv module, and a package index for pip.
# Everything is installed below this folder (.venv, .venv-examples, .venv-peers), exactly as the lock files say.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Where it is set, every process would compile all that it imports anew; what is kept lies below this folder (make clean).
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
UV ?= uv
WORKERS ?= 4
ARGS ?=
SECONDS ?= 60
PEERS ?=
BIN := .venv/bin

.PHONY: help setup examples chromium demo up test test-pages test-faults check bench bench-ingest bench-scale bench-soak fuzz peers lock clean python

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed  ## Install Pigou into .venv

examples: .venv-examples/.installed  ## Install the agents of examples/ into .venv-examples

demo: setup  ## Play a simulated fortnight of a fleet of agents and show what it spent
	@$(BIN)/pigou demo $(ARGS)

up: setup  ## Run database, collector, analyzers and dashboard in the foreground
	@$(BIN)/pigou up $(ARGS)

test:  ## Install what is missing and test every room (ARGS="-k words" for some tests)
	@$(MAKE) -j3 --output-sync=target setup examples chromium
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-pages:  ## Walk every page in a real browser: links, filters, schemes, widths, accessibility
	@$(MAKE) -j2 --output-sync=target setup chromium
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests/pages $(ARGS) || { \
	  echo "What failed is walked once more, one page at a time: it fails again unless the machine was busy."; \
	  $(BIN)/python -m pytest -n 0 --last-failed --last-failed-no-failures none tests/pages; }

test-faults: setup  ## Break things under load: a few rounds of every kind of fault
	@$(BIN)/python -m pytest -n $(WORKERS) tests/faults $(ARGS)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/fuzz $(ARGS)

check: setup  ## Lint, formatting, types and the floors of the house
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache
	$(BIN)/basedpyright

bench: setup  ## Measure (ARGS are passed on)
	@$(BIN)/python -m bench $(ARGS)

fuzz: setup  ## Feed the collector's reading what nobody would send, for SECONDS (ARGS are passed on)
	@$(BIN)/python -m bench fuzz --seconds $(SECONDS) $(ARGS)

bench-ingest: setup $(if $(PEERS),peers)  ## Measure ingestion beside COPY (PEERS=1: beside Arize Phoenix and MLflow too)
	@$(BIN)/python -m bench ingest $(if $(PEERS),--peers) $(ARGS)

bench-scale: setup  ## Measure ingestion and every panel of the pages while the books grow to ten million calls
	@$(BIN)/python -m bench scale $(ARGS)

bench-soak: setup  ## Measure memory, latency and disk over half an hour of steady load
	@$(BIN)/python -m bench soak $(ARGS)

peers: .venv-peers/.installed  ## Install what PEERS=1 measures beside Pigou into .venv-peers

chromium:  ## Install Debian's Chromium, which the browser tests drive
	@scripts/install-chromium

lock:  ## Write the lock files from pyproject.toml (needs uv; ARGS=--upgrade for newer versions)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: install it, or name it with UV=/path/to/uv" >&2; exit 1; }
	@UV=$(UV) scripts/write-locks $(ARGS)

clean:  ## Remove what the other targets made here (never the books)
	rm -rf .venv .venv-examples .venv-peers .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist pigou.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here. Pigou needs Python 3.11 or later: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Pigou needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "$(PYTHON) has no venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }

.venv/.has-pip: | python
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv .venv
	@touch $@

# uv installs in seconds what takes pip minutes. Where there is none for the machine, pip does it all.
.venv/.has-uv: requirements.uv.lock | .venv/.has-pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes -r requirements.uv.lock \
	  || echo "uv, which installs faster, could not be had (above)." >&2
	@touch $@

.venv/.installed: requirements.lock pyproject.toml | .venv/.has-uv
	@echo "Installing Pigou into .venv ..."
	@scripts/install-lock $(BIN)/python --require-hashes -r requirements.lock
	@scripts/install-lock $(BIN)/python --no-build-isolation --editable .
	@touch $@

.venv-examples/.installed: examples/requirements.lock | .venv/.has-uv
	@echo "Installing the agents of examples/ into .venv-examples ..."
	@$(PYTHON) -m venv --without-pip .venv-examples
	@scripts/install-lock .venv-examples/bin/python --require-hashes -r examples/requirements.lock
	@touch $@

.venv-peers/.installed: bench/requirements-peers.lock | .venv/.has-uv
	@echo "Installing the peers of bench/ into .venv-peers (1.3 GB) ..."
	@$(PYTHON) -m venv --without-pip .venv-peers
	@scripts/install-lock .venv-peers/bin/python --require-hashes -r bench/requirements-peers.lock
	@touch $@
