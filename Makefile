# make setup | demo | test | check | bench-NAME | services | services-stop | fmt
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup
setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

.PHONY: services services-stop
services: ## real Kafka, Prometheus and Grafana on loopback; harmless when run twice
	@$(PYTHON) deploy/local/services.py start

services-stop:
	@$(PYTHON) deploy/local/services.py stop
