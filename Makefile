# What each command really does is in deploy/local; `make up` uses Docker where an engine answers.
PYTHON := .venv/bin/python
ENGINE := $(PYTHON) -m deploy.local.engine
RUN := $(PYTHON) -m deploy.local run

.DEFAULT_GOAL := help
.PHONY: help setup up down clean status logs demo test lint bench docs

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the Python libraries into .venv
	@deploy/local/setup.sh

up: setup ## start the servers and the seven services
	@$(ENGINE) up

down: setup ## stop everything, keep the data
	@$(ENGINE) down

clean: setup ## stop everything, forget data and settings
	@$(ENGINE) clean

status: setup ## what runs, on which ports, and how it is doing
	@$(ENGINE) status

logs: setup ## follow the logs, until Ctrl-C
	@$(ENGINE) logs --follow

demo: up ## run the main job on real media and print a report
	@$(RUN) $(PYTHON) -m examples.demo

test: setup ## run all tests; starts the servers that it needs, and stops them
	@$(PYTHON) -m pytest

lint: setup ## check style, types and import rules
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: up ## measure the running stack, into bench/results
	@$(RUN) $(PYTHON) -m bench

docs: setup ## write the generated references in docs/ anew
	@$(PYTHON) -m ops.cli docs
