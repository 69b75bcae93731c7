# `make` lists what there is. Every target sets the checkout up first, which takes no time when it is.

SHELL := /bin/bash
PYTHON := $(shell command -v python3 || command -v python || echo python3)
STAGE ?= production

# The set-up's own tools come first.
VENV := $(CURDIR)/.venv
export PATH := $(VENV)/bin:$(PATH)
# Else each of the hundreds of Python processes of a test run would compile its libraries anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: audit contract differences faults load model mutants mutation properties pictures help setup demo test up down lint drill bench deploy lock carrier

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install everything into this folder
	@command -v $(PYTHON) >/dev/null || { echo "setup: no python3 and no python was found. Install Python 3.13 (pyenv, uv, apt or brew) and run the command again." >&2; exit 1; }
	@trap '' INT; exec $(PYTHON) -S local/toolchain/setup.py

demo: setup ## Start a stack, create orders and write their labels to out/
	@$(VENV)/bin/python -m local demo

# One process has the stack, whose functions work while it waits; the others run everything else meanwhile.
test: setup ## Run all tests, including those of the whole stack
	@$(VENV)/bin/python -m local test

up: setup ## Start the stack and leave it running
	@$(VENV)/bin/python -m local up

down: setup ## Stop the stack and delete its data
	@$(VENV)/bin/python -m local down

lint: setup ## Check format, style, types, imports and the production template
	@$(VENV)/bin/python -m local lint

faults: setup ## Spoil each call of the main flows in each way on a stack of its own (ONLY="lso kill" COUNT=200 SEED=7 MINUTES=40); without ONLY it rewrites docs/reliability.md
	@ONLY="$(ONLY)" COUNT="$(COUNT)" SEED="$(SEED)" MINUTES="$(MINUTES)" $(VENV)/bin/python -m local faults

load: setup ## Buy thousands of orders at once while calls go wrong, and account for each (COUNT=5000 FAULTS=0.02 SEED=1); rewrites docs/reliability.md
	@COUNT="$(COUNT)" FAULTS="$(FAULTS)" SEED="$(SEED)" $(VENV)/bin/python -m local load

model: setup ## Explore every course of an order's life, and lead the engine along them; rewrites docs/reliability.md
	@$(VENV)/bin/python -m local model

mutants: setup ## Remove the code of each promise from a copy and check that a test fails (ONLY=7 STACK=1); rewrites docs/reliability.md
	@ONLY="$(ONLY)" STACK="$(STACK)" $(VENV)/bin/python -m local mutants

differences: setup ## Remove the guard of each row of docs/aws-differences.md and check that its tests fail (ONLY=index)
	@ONLY="$(ONLY)" $(VENV)/bin/python -m local differences

mutation: setup ## Change single expressions of the riskiest code and see whether a test fails (MODULE=submission, idempotency, webhooks, trust, domain or polling; SAMPLE=100 SKIP=100); rewrites docs/reliability.md
	@MODULE="$(MODULE)" SAMPLE="$(SAMPLE)" SKIP="$(SKIP)" $(VENV)/bin/python -m local mutation

properties: setup ## Try many examples on every parser of outside bytes (EXAMPLES=1500 for each property)
	@EXAMPLES="$(EXAMPLES)" $(VENV)/bin/python -m local properties

contract: setup ## Make calls from the API's own document, in sequences (STACK=1 CASES=2000 SEED=1 WORKERS=3, at least some 600); rewrites docs/reliability.md
	@STACK="$(STACK)" CASES="$(CASES)" SEED="$(SEED)" WORKERS="$(WORKERS)" $(VENV)/bin/python -m local contract

pictures: setup ## Make the pictures of the README again, from the running stack or a new one
	@$(VENV)/bin/python -m local pictures

audit: setup ## Look for known vulnerabilities in the locked packages, and list these (out/sbom)
	@$(VENV)/bin/python -m local audit

drill: setup ## Practise a failure on the local stack (DRILL=poison MEND=1); alone it lists the drills
	@DRILL="$(DRILL)" MEND="$(MEND)" $(VENV)/bin/python -m local drill

bench: setup ## Measure, and rewrite the pages with the figures (ONLY="imports pages")
	@ONLY="$(ONLY)" $(VENV)/bin/python -m local bench

deploy: setup ## Check your AWS account, then deploy to it (STAGE=production OPTIONS=--check)
	@$(VENV)/bin/python -m local deploy $(STAGE) $(OPTIONS)

carrier: setup ## Create the files of a new carrier (NAME=pigeon)
	@$(VENV)/bin/python -m local carrier "$(NAME)"

lock: setup ## Update the lock files from requirements/*.in and each package.json
	@$(VENV)/bin/python -m local lock
