# `make` prints this menu. Longer recipes live in scripts/ and in the switchyard command.
.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-live test-stores test-vllm drill check format lock bench bench-overhead clean \
	use-vllm use-ollama canary shadow promote rollback halt resume compare migrate

PORT ?= 8080
PYTHON := .venv/bin/python
SWITCHYARD := .venv/bin/switchyard
PERCENT ?= 10
SAMPLE ?= 20
A ?= ollama
B ?= vllm
FROM ?= ollama
TO ?= vllm

help: ## Print this menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Prepare everything: virtual environment, locked dependencies, Tesseract, poppler, embedding model
	@scripts/setup.sh

demo: setup ## Start the stack without Docker or GPU, add the examples, ask, make a note
	@.venv/bin/switchyard demo --port $(PORT)

up: setup ## Start the all-in-one stack and stay
	@.venv/bin/switchyard up --embedded --port $(PORT)

test: ## Set up and run the fast tests
	@scripts/setup.sh --tests
	@$(PYTHON) -m pytest -n auto --maxprocesses 4

test-live: ## Drive the command line against running stacks: compare, migrate, moves that are killed
	@scripts/setup.sh --tests
	@$(PYTHON) -m pytest -n auto --maxprocesses 4 -m live tests/tools

test-stores: ## Run the services on a real PostgreSQL and a real Chroma server
	@scripts/setup.sh --tests && scripts/stores.sh
	@$(PYTHON) -m pytest -m stores tests/stores

test-vllm: ## Run the contract and end-to-end tests against a real vLLM on CPU
	@scripts/setup.sh --tests
	@$(PYTHON) -m pytest -m vllm tests/vllm

drill: ## Switch, kill, canary and roll back under load, with a real vLLM on CPU; prints a table
	@scripts/setup.sh --tests
	@cd tests && ../$(PYTHON) -m drill

check: ## ruff, mypy --strict, import-linter, shellcheck
	@scripts/setup.sh --tests
	@.venv/bin/ruff check && .venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/shellcheck scripts/*.sh

format: ## Let ruff mend what it can
	@.venv/bin/ruff check --fix && .venv/bin/ruff format

lock: ## Resolve dependencies anew, one lock file per deployable, with hashes and without index URLs
	@scripts/lock.sh

bench: setup ## Measure start-up, memory, ingestion and query latency of the all-in-one stack
	@.venv/bin/switchyard bench stack

bench-overhead: setup ## Measure what the stack adds to calling an engine directly
	@.venv/bin/switchyard bench overhead

use-vllm: ## Let vLLM serve text from now on; nothing restarts
	@$(SWITCHYARD) providers use vllm

use-ollama: ## Let Ollama serve text from now on
	@$(SWITCHYARD) providers use ollama

canary: ## Let the candidate answer a share of the conversations: make canary PERCENT=10
	@$(SWITCHYARD) providers canary --percent $(PERCENT)

shadow: ## Send a share of the requests to the candidate as well: make shadow SAMPLE=20
	@$(SWITCHYARD) providers shadow --percent $(SAMPLE)

promote: ## Make the candidate the stable backend
	@$(SWITCHYARD) providers promote

rollback: ## End a canary or a shadow, or go back to the previous backend
	@$(SWITCHYARD) providers rollback

halt: ## Emergency stop: no more generation
	@$(SWITCHYARD) providers halt

resume: ## Undo halt
	@$(SWITCHYARD) providers resume

compare: ## Same questions to two backends, and a report: make compare A=ollama B=vllm QUESTIONS=FILE
	@$(SWITCHYARD) compare --a $(A) --b $(B) --questions $(QUESTIONS)

migrate: ## From one backend to another, by stages: make migrate FROM=ollama TO=vllm
	@$(SWITCHYARD) migrate --from $(FROM) --to $(TO) $(if $(QUESTIONS),--questions $(QUESTIONS))

clean: ## Remove the virtual environment and the demo's data; caches outside the repository stay
	rm -rf .venv data/demo
