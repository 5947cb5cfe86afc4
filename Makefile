# Two commands matter: `make demo` and `make test`. Each builds the environment it needs, with uv where it is installed
# and with venv and pip where it is not, from a lock that carries hashes.
PYTHON ?= python3
SLOW ?= tests
JOBS ?= 2
VENV ?= .venv
BIN := $(VENV)/bin
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export DVC_NO_ANALYTICS := true
unexport PYTHONDONTWRITEBYTECODE  # the tests start a thousand processes; each would compile every library anew
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.PHONY: help deliver report-change comment demo test test-slow test-airflow test-bounds lint format ui airflow bench bench-full lock clean env env-dev

help:            ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.main       ## environment + the main job on the embedded default data; ends with its results
	@PATH="$(CURDIR)/$(BIN):$$PATH" mlcore run && PATH="$(CURDIR)/$(BIN):$$PATH" mlcore show
	@echo
	@echo "Where to look next"
	@echo "  the report      out/explain/report.html"
	@echo "  every run       make ui"
	@echo "  another model   . $(BIN)/activate && mlcore compose model=forest && mlcore run"
	@echo "  the first hour  docs/first-hour.md"

test: $(VENV)/.dev lint   ## environment + all checks and tests but the slow ones
	@PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -n $(JOBS)

test-slow: $(VENV)/.dev   ## the tests over ten seconds, and those in a browser
	@PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -n $(JOBS) -m '(slow or browser) and not airflow' $(SLOW)

test-airflow: $(VENV)/.dev $(VENV)/.airflow ## the tests that need Airflow
	@PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -n $(JOBS) -m airflow tests/dags

test-bounds: $(VENV)/.dev ## the tests of the kernels with Numba's bounds checks on, compiled apart from the others
	@PATH="$(CURDIR)/$(BIN):$$PATH" NUMBA_BOUNDSCHECK=1 python -m pytest -n $(JOBS) tests/kernels

lint: $(VENV)/.dev        ## ruff: rules and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(VENV)/.dev      ## ruff: mend what can be mended
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

ui: $(VENV)/.main         ## the MLflow UI on http://127.0.0.1:5000
	@export PATH="$(CURDIR)/$(BIN):$$PATH"; exec mlflow ui --host 127.0.0.1 --port 5000 --workers 1

airflow: $(VENV)/.airflow  ## Airflow with the schedules of conf/schedule on http://127.0.0.1:8080
	@export PATH="$(CURDIR)/$(BIN):$$PATH"; exec mlcore airflow

deliver: $(VENV)/.main    ## judge this checkout's run against the champion, promote it if every gate passes; RUN_ID=..., DRY_RUN=1
	@PATH="$(CURDIR)/$(BIN):$$PATH" .ci/deliver

report-change: $(VENV)/.main  ## what this checkout changes in the metrics of BASE (origin/main): both are run
	@PATH="$(CURDIR)/$(BIN):$$PATH" .ci/report-change

comment:                  ## put REPORT=build/.../report.md under the pull or merge request; print it where there is none
	@.ci/comment

bench: $(VENV)/.bench     ## short form of every claim in docs/numbers.md, under ten minutes
	@PATH="$(CURDIR)/$(BIN):$$PATH" python bench/run.py --short

bench-full: $(VENV)/.bench ## every claim at full size
	@PATH="$(CURDIR)/$(BIN):$$PATH" python bench/run.py

lock:                     ## resolve pyproject.toml anew into the locks (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q --upgrade --extra build -o requirements.lock
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q --upgrade --extra build --extra dev -o requirements-dev.lock
	cp requirements-dev.lock requirements-airflow.lock
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q --extra build --extra airflow --extra airflow-many -o requirements-airflow.lock
	cp requirements-dev.lock requirements-bench.lock  # the rivals join the very same releases
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q --extra build --extra dev --extra bench -o requirements-bench.lock

env: $(VENV)/.main        ## only the environment of the main job
env-dev: $(VENV)/.dev     ## the environment with the tools for tests

clean:                    ## remove outputs, environment and caches; keeps DVC's cache, MLflow's runs and what is not sent yet
	rm -rf $(VENV) out multirun .mlcore/failed .mlcore/journal .mlcore/composed.json .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.main: requirements.lock pyproject.toml
	@test -f $(VENV)/.dev || sh .ci/install "$(PYTHON)" "$(VENV)" requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	@sh .ci/install "$(PYTHON)" "$(VENV)" requirements-dev.lock
	@touch $@ $(VENV)/.main

$(VENV)/.airflow: requirements-airflow.lock $(VENV)/.main
	@sh .ci/install "$(PYTHON)" "$(VENV)" requirements-airflow.lock
	@touch $@

$(VENV)/.bench: requirements-bench.lock $(VENV)/.dev
	@sh .ci/install "$(PYTHON)" "$(VENV)" requirements-bench.lock
	@touch $@
