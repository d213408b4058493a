# Scorecast. `make help` lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PORT ?= 3000
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where an image sets it, every command would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run refit test lint ui sql status bench docs clean

help: ## What each command does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Scorecast needs Python 3.11; found $$($(PYTHON) --version). Try: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing the locked packages into .venv (once, a minute or two) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

install: .venv/installed ## Create .venv with the locked packages (the other commands do it, too)

run: .venv/installed ## Exports in, published tables out: the daily job (makes the sample company first if nothing is configured)
	@$(BIN)/scorecast run daily

refit: .venv/installed ## Fit every model anew (what the Sunday schedule does)
	@$(BIN)/scorecast run weekly_refit

test: .venv/installed ## The whole test suite: the fast core first, beside the two longest modules
	@$(BIN)/python -m pytest -q -n auto --no-loadscope-reorder --durations=15

lint: .venv/installed ## Formatting and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

ui: .venv/installed ## The Dagster UI on 127.0.0.1 (PORT=3000), with schedules and sensors
	@$(BIN)/scorecast ui --port $(PORT)

sql: .venv/installed ## A read-only SQL shell on the published tables; one query with Q="select ..."
	@$(BIN)/scorecast sql $(if $(Q),"$$Q")

status: .venv/installed ## What is published, how good it is, how old
	@$(BIN)/scorecast status

.venv-bench/installed: .venv/installed benchmarks/autogluon.txt
	@echo "Installing AutoGluon, which predictions are compared with, into .venv-bench (once, a few minutes and gigabytes) ..."
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/pip install --quiet --requirement benchmarks/autogluon.txt
	@touch $@

bench: .venv/installed .venv-bench/installed ## Every benchmark; each prints its ratio and its bar
	@for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: .venv/installed ## dbt's documentation of every model and column, in dbt_project/target/static_index.html
	@$(BIN)/scorecast dbt docs generate --static
	@echo "Open dbt_project/target/static_index.html in a browser; it needs no server."

clean: ## Remove what runs wrote (data/) and the virtual environments
	@find data -mindepth 1 -not -name README.md -delete
	@rm -rf .venv .venv-bench dbt_project/target dbt_project/logs

export Q
