# `make` lists what there is. Every target sets the checkout up first, which takes no time when it is.

SHELL := /bin/bash
PYTHON := $(shell command -v python3 || command -v python || echo python3)
STAGE ?= production

# The set-up's own tools come first.
VENV := $(CURDIR)/.venv
export PATH := $(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: audit mutants help setup demo test up down lint bench deploy lock carrier

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install everything into this folder
	@command -v $(PYTHON) >/dev/null || { echo "setup: no python3 and no python was found. Install Python 3.13 (pyenv, uv, apt or brew) and run the command again." >&2; exit 1; }
	@$(PYTHON) local/toolchain/setup.py

demo: setup ## Send orders through a stack of its own, watch them become labels in out/
	@$(VENV)/bin/python -m local demo

# One process has the stack, whose functions work while it waits; the others run everything else meanwhile.
test: setup ## Run every test, the whole stack included
	@$(VENV)/bin/python -m local test

up: setup ## Start the stack and leave it running
	@$(VENV)/bin/python -m local up

down: setup ## Stop the stack and forget what it held
	@$(VENV)/bin/python -m local down

lint: setup ## Check format, style, types, which part imports which, and the template
	@$(VENV)/bin/python -m local lint

mutants: setup ## Take each promise's guards out of a copy and see that a test notices (ONLY=7)
	@ONLY="$(ONLY)" $(VENV)/bin/python -m local mutants

audit: setup ## Look for known faults in what the locks name, and list it (out/sbom)
	@$(VENV)/bin/python -m local audit

bench: setup ## Measure cold starts and the way from order to label
	@$(VENV)/bin/python -m local bench

deploy: setup ## Look at your AWS account, then deploy to it (STAGE=production OPTIONS=--check)
	@$(VENV)/bin/python -m local deploy $(STAGE) $(OPTIONS)

carrier: setup ## Lay out the rooms of a new carrier (NAME=pigeon)
	@$(VENV)/bin/python -m local carrier "$(NAME)"

lock: setup ## Renew the locks from requirements/*.in and infra/package.json
	@$(VENV)/bin/python -m local lock
