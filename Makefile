# `make demo` and `make test` do all the set-up they need; both skip what is done.
PYTHON ?= python3
BIN := .venv/bin
DURATION ?=
SOURCE ?=
RATE ?= 500
PYTEST_ARGS ?=
EVENTS ?= 3000000
ROUNDS ?= 3
WORKERS ?= 1
EXAMPLES ?= 100000

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' Makefile) clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,13))' || \
	  { echo "millrace: Python 3.11 or 3.12 is needed; name one with: make PYTHON=python3.11 ..." >&2; exit 2; }
	@echo "millrace: creating .venv from requirements.lock (about a minute)" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/.stamp ## Install everything into .venv and .local (demo and test do it by themselves)
	@$(BIN)/python -m local.install

demo: setup ## The whole path with a planted spike and an alert; DURATION=120 to stop by itself, SOURCE=online-retail
	@$(BIN)/millrace demo --rate $(RATE) $(if $(DURATION),--duration $(DURATION)) $(if $(SOURCE),--source $(SOURCE))

up: setup ## Start the local stack and keep it running
	@$(BIN)/millrace up

test: setup lint ## Lint, type-check and run the tests, all but those of `make test-long`
	@$(BIN)/python -m pytest -n 3 --dist loadfile $(PYTEST_ARGS)

test-long: setup ## Run the tests that show in more ways what a test of `make test` shows in one
	@$(BIN)/python -m pytest -n 3 --dist loadfile -m long $(PYTEST_ARGS)

fuzz: setup ## Decode EXAMPLES=100000 generated messages, and compare with an independent reading
	@EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n 0 -q -s tests/fuzz

lint: setup ## Ruff and mypy
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy

format: setup ## Let ruff put the code in shape
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

bench-generate: setup ## Events/s the simulator makes on one core
	@$(BIN)/python -m benchmarks.generate

bench-ingest: setup ## Events/s from Kafka to raw.events beside the alternatives; EVENTS=300000 ROUNDS=1 to try it
	@$(BIN)/python -m benchmarks.ingest --events $(EVENTS) --rounds $(ROUNDS) --workers $(WORKERS)

bench-search: setup ## Milliseconds that a search of ROWS=50000000 raw events takes, and what its index costs
	@$(BIN)/python -m benchmarks.search --rows $(or $(ROWS),50000000)

bench-archive: setup ## Events/s archived, verified and restored, and bytes an event; ROWS=1000000
	@$(BIN)/python -m benchmarks.archive --rows $(or $(ROWS),1000000)

bench-experiments: setup ## False alarms and power of the experiment statistics, simulated (minutes)
	@$(BIN)/python -m benchmarks.experiments

bench-detector: setup ## False alerts and recall of the item-sales rules on simulated weeks (minutes); WEEKS=12
	@$(BIN)/python -m benchmarks.detector $(if $(WEEKS),--weeks $(WEEKS))

bench-live: setup ## Seconds until an event is in the live models, and how fast they answer, at 5,000 events/s
	@$(BIN)/python -m benchmarks.live

bench-dashboard: setup ## How fast the pages are, and what ingest feels, with ten users clicking; EVENTS=10000000 SECONDS=120
	@$(BIN)/python -m benchmarks.dashboard --events $(if $(filter command line environment,$(origin EVENTS)),$(EVENTS),10000000) --seconds $(or $(SECONDS),120)

bench-marts: setup ## What a run of the marts costs after 1, 10 and 50 million events, and each question (an hour); SIZES=1000000
	@$(BIN)/python -m benchmarks.marts $(if $(SIZES),--events $(SIZES))

bench-cadence: setup ## Seconds of a run beside Dagster's stock parts at 5, 15 and 60 s (25 min), then the whole path for MINUTES=10
	@$(BIN)/python -m benchmarks.cadence --soak $(or $(MINUTES),10) $(if $(CADENCES),--cadences $(CADENCES))

replay-test: setup ## Marts against rebuilds and the oracle: SEEDS=5 histories of REPLAY_EVENTS=1000, and whole logs
	@REPLAY_SEEDS=$(or $(SEEDS),5) REPLAY_ROWS=0 REPLAY_EVENTS=$(or $(REPLAY_EVENTS),1000) $(BIN)/python -m pytest -n 2 --dist load -m "" tests/replay

chaos: setup ## Kill, stop and cut what ingest needs, and count; FAULTS=50 SEED=1 to repeat an order
	@$(BIN)/python -m tests.chaos --faults $(or $(FAULTS),50) $(if $(SEED),--seed $(SEED))

outage: RATE = 2000
outage: setup ## ClickHouse down for MINUTES=10 under load, with the worker's memory
	@$(BIN)/python -m tests.chaos --outage --minutes $(or $(MINUTES),10) --rate $(RATE)

screenshots: setup ## Take the pictures in docs/images: Dagster's of a server of their own, the dashboard's while `make demo` runs
	@SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/python -m pytest -n 0 -q tests/browser/test_dagster_ui.py
	@$(BIN)/python -m tests.browser.screenshots

demo-pages: setup ## Drive the dashboard's pages in a browser while `make demo` runs; kills the demo's ClickHouse at the end
	@$(BIN)/python -m tests.browser.demo_pages

lock: setup ## Write requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --quiet --output-file requirements.lock

docs: setup ## Write the pages that are made from lists in the code (metrics, checks, settings, commands, marts)
	@$(BIN)/python -m monitoring.metrics_page
	@$(BIN)/python -m monitoring.grafana_boards
	@$(BIN)/python -m orchestration.checks.catalogue_page
	@$(BIN)/python -m contracts.settings_page
	@$(BIN)/python -m cli.commands_page
	@$(BIN)/python -m orchestration.assets.marts_page

docs-site: setup ## Make a site of docs/ in var/site; a broken link or a page that is in no menu ends it
	@$(BIN)/properdocs build

hooks: setup ## Let git run `make lint` on what changed before each commit
	@$(BIN)/pre-commit install

clean: ## Remove the data of the local stack (not .venv, not .local)
	@rm -rf var
