# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: help setup demo test test-all check format bench docs clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make the development environment in .venv

$(STAMP): requirements.lock pyproject.toml scripts/setup
	PYTHON=$(PYTHON) sh scripts/setup $(VENV)
	@touch $@

demo: setup ## start a server here and publish real sample content to it
	$(BIN)/python scripts/demo.py

test: setup ## the default tests: no daemon, no network, a minute or two
	$(BIN)/python -m pytest -n auto -q -m "not interpreters and not sandbox and not postgres and not server and not compat and not browser and not fault and not r"

test-all: setup ## every tier this machine can run
	$(BIN)/python -m pytest -q

check: setup ## format, lint, types and import rules
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format the code
	$(BIN)/ruff format src tests benchmarks scripts
	$(BIN)/ruff check --fix src tests benchmarks scripts

bench: setup ## measure against the peers (see docs/performance.md)
	$(BIN)/python -m benchmarks

clean: ## remove the development environment
	rm -rf $(VENV)
