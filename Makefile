# Everything an owner of a studio types. `make run` is enough to start; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install run test check bench doctor backup restore chaos clean

PYTHON ?= python3.11
VENV ?= .venv
PORT ?= $(or $(ATELIER_PORT),8000)
PIP_FLAGS ?=
# Of the tests: one for each core, each with servers of its own; given ones are shared by nobody.
PROCESSES ?= $(if $(DATABASE_URL)$(REDIS_URL),0,auto)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

help:  ## List what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED)  ## Make the virtual environment

# Made again when what is pinned changes; the stamp keeps a second start quick.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or name it: make run PYTHON=..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) \
	  --constraint constraints.txt --editable ".[dev]"
	@touch $@

run: $(INSTALLED)  ## Start the studio on this machine (PORT=8000)
	@exec $(BIN)/python manage.py studio --port $(PORT)

test: $(INSTALLED)  ## Run the tests (ARGS="-k name")
	$(BIN)/python -m pytest --numprocesses=$(PROCESSES) --maxprocesses=4 --no-loadscope-reorder $(ARGS)

check: $(INSTALLED)  ## Check style, types, imports, templates and migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	find templates -name '*.html' -print0 | xargs -0 $(BIN)/djade --check --target-version 5.2
	@# On a database of its own: what is checked is the code, not this studio's data.
	scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	  ATELIER_DATA="$$scratch" $(BIN)/python manage.py makemigrations --check --dry-run

bench: $(INSTALLED)  ## Measure against the baselines (ARGS=--quick)
	@for file in bench/[a-z]*.py; do \
	  subject=$$(basename $$file .py); echo "== $$subject"; $(BIN)/python -m bench.$$subject $(ARGS); \
	done

doctor: $(INSTALLED)  ## Say what is wrong with this installation and how to mend it
	@$(BIN)/python manage.py doctor --port $(PORT)

backup: $(INSTALLED)  ## Write everything into one file (TO=backup.tar)
	@$(BIN)/python manage.py backup $(if $(TO),--to "$(TO)")

restore: $(INSTALLED)  ## Put a backup back in place of what is there (FROM=backup.tar)
	@test -n "$(FROM)" || { echo "Say which backup: make restore FROM=backups/....tar"; exit 1; }
	@$(BIN)/python manage.py restore "$(FROM)"

chaos: $(INSTALLED)  ## Run the tests that kill processes while real jobs run
	$(BIN)/python -m pytest -m chaos -s $(ARGS)

clean:  ## Remove the virtual environment and caches; data stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
