# make setup | demo | test | check | bench-NAME | services | services-stop | fmt
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := streams detectors connectors response grafana

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: $(VENV)/.ready ## make .venv with everything that the other targets need

$(VENV)/.ready: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

.PHONY: demo
demo: setup ## from a mention to an alert on this machine alone; ARGS="--headless ...", DATA=FILE.csv
	@$(BIN)/siaga demo $(if $(DATA),--data "$(DATA)") $(ARGS)

.PHONY: test
test: setup ## every test that this machine can run
	@$(BIN)/python -m pytest --doctest-modules --ignore=tests/bench $(PACKAGES) tests

.PHONY: test-grafana
test-grafana: setup ## rules, routes and dashboards on the real Grafana and Prometheus alone
	@$(BIN)/python -m pytest --doctest-modules grafana tests/*/test_grafana_*.py

.PHONY: grafana-files
grafana-files: setup ## write deploy/grafana again: files for Grafana and Prometheus
	@$(BIN)/siaga grafana export deploy/grafana -c deploy/grafana/siaga.toml

.PHONY: test-grafana-long
test-grafana-long: setup ## ten minutes of a crisis on the real Grafana, with processes killed
	@SIAGA_LONG=1 $(BIN)/python -m pytest -s tests/integration/test_grafana_minutes.py

.PHONY: test-day
test-day: setup ## a day of a million mentions of one brand: the largest record of each topic
	@SIAGA_LONG=1 $(BIN)/python -m pytest -s -k a_day_of_one_brand tests/integration/test_worker_core.py

.PHONY: fuzz
fuzz: setup ## 10,000 inputs for each parser of the connectors (about 20 minutes)
	@$(BIN)/python -m pytest --hypothesis-profile=fuzz --timeout=3600 -k whatever \
		tests/property/test_connectors_fuzz.py tests/contract/test_connectors_*.py

.PHONY: check
check: setup ## what CI runs: format, lint, types, contracts, tests, wheel
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test
	@$(BIN)/python deploy/local/wheel_check.py

.PHONY: fmt
fmt: setup ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: services
services: ## real Kafka, Prometheus and Grafana on loopback; harmless when run twice
	@$(PYTHON) deploy/local/services.py start

.PHONY: services-stop
services-stop: ## stop them by their id
	@$(PYTHON) deploy/local/services.py stop

.PHONY: chaos
chaos: setup ## random rounds of failures on the real Kafka: ROUNDS=n SEED=s
	@$(BIN)/python tests/chaos/run_chaos.py --rounds $(or $(ROUNDS),3) --seed $(or $(SEED),1) $(ARGS)

bench-%: setup ## side by side against references; rows in build/bench/NAME.json
	@$(BIN)/python tests/bench/bench_$*.py $(ARGS)

.PHONY: bench-soak
bench-soak: setup ## a worker under steady load on the real Kafka: MINUTES=30 RATE=2000
	@$(BIN)/python tests/bench/bench_soak.py --minutes $(or $(MINUTES),30) --rate $(or $(RATE),2000)

.PHONY: bench-sentiment
bench-sentiment: setup ## quality and speed of the language models beside stock River; DATA=folder
	@$(BIN)/python tests/bench/bench_sentiment.py $(if $(DATA),--data $(DATA))
	@$(BIN)/python tests/bench/bench_classify.py
