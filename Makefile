# `make` prints this menu. Longer recipes live in scripts/ and in the switchyard command.
.DEFAULT_GOAL := help
.PHONY: help test-browser setup demo up up-vllm up-cpu up-single-gpu up-embedded down status logs key keys switchyard pull preflight backup restore \
	use-vllm use-ollama canary shadow promote rollback halt resume compare migrate \
	test test-live test-security test-stores test-engines test-vllm test-compose drill check format lock bench bench-page bench-overhead clean

PORT ?= 8080
PYTHON := .venv/bin/python
SWITCHYARD ?= .venv/bin/switchyard
# Needs only Python and Docker; -h lists its commands and options.
STACK := PYTHONPATH=tools/src:shared/src python3 -m switchyard.stack
# The switchyard command, on the stack that runs in Docker if there is one, else on `make up-embedded`.
OPERATE = $(STACK) cli $(SWITCHYARD)
PERCENT ?= 10
SAMPLE ?= 20
A ?= ollama
B ?= vllm
FROM ?= ollama
TO ?= vllm
FOR ?= ollama
DO ?= list
FOLDER ?= backups

help: ## Print this menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Prepare everything: virtual environment, locked dependencies, Tesseract, poppler, embedding model
	@scripts/setup.sh

demo: setup ## Start the stack without Docker or GPU, add the examples, ask, make a note
	@.venv/bin/switchyard demo --port $(PORT)

up: ## Start the Ollama stack in Docker, on a GPU where there is one
	@$(STACK) up ollama

up-vllm: ## Start the vLLM stack: vLLM on GPU 1, Ollama on GPU 0
	@$(STACK) up vllm

up-cpu: ## Start the vLLM stack on CPUs
	@$(STACK) up cpu

up-single-gpu: ## Start the vLLM stack with both engines on one GPU
	@$(STACK) up single-gpu

up-embedded: setup ## Start everything in one process, without Docker, in the foreground
	@.venv/bin/switchyard up --embedded --port $(PORT)

down: ## Stop the stack; data stays
	@$(STACK) down

status: ## Containers, health, provider per role, model, queue
	@$(STACK) status

logs: ## Follow the logs: make logs SERVICE=rag-service
	@$(STACK) logs $(SERVICE)

key: ## Show the admin key that the first start made
	@$(STACK) key

switchyard: ## Any other command, on the running stack: make switchyard DO="add handbook.pdf"
	@$(OPERATE) $(DO)

keys: ## API keys: make keys DO="create anna --collection default", DO=list, DO="revoke ID"
	@$(STACK) keys $(DO)

pull: ## Fetch newer images and the models that .env names
	@$(STACK) pull

preflight: ## Check before a start whether the stack fits this machine: make preflight FOR=vllm
	@$(STACK) preflight $(FOR)

backup: ## Write documents, vectors, policy and keys into backups/, while the stack runs
	@$(STACK) backup --to $(FOLDER)

restore: ## Restore a backup: make restore FILE=backups/...; FORCE=1 replaces existing data
	@$(STACK) restore $(FILE) $(if $(FORCE),--force)

test: ## Set up and run the fast tests
	@scripts/setup.sh --tests
	@$(PYTHON) -m pytest -n 4

test-live: ## Test what takes minutes: the command line against running stacks, migrations, mirrored folders, real documents
	@scripts/setup.sh --tests
	@$(PYTHON) -m pytest -n 4 -m live tests

test-browser: ## Use the page as people do, in a real Chromium; screenshots go to build/screenshots
	@scripts/setup.sh --tests
	@$(PYTHON) -m pytest -m browser tests/browser

test-security: ## Attack the services: random requests over their OpenAPI documents, and what keys may see
	@scripts/setup.sh --tests
	@$(PYTHON) -m pytest -n 4 -m "security and not vllm" tests

test-stores: ## Run the services on a real PostgreSQL and a real Chroma server
	@scripts/setup.sh --tests && scripts/stores.sh
	@$(PYTHON) -m pytest -m stores tests/stores

test-compose: ## Start, kill, back up and switch the Compose stacks on a real Docker engine
	@scripts/setup.sh --tests
	@$(PYTHON) -m pytest -m compose -s tests/compose tests/tools/stack

test-engines: ## Run the contract and end-to-end tests against real vLLM and llama.cpp servers on CPU
	@scripts/setup.sh --tests
	@$(PYTHON) -m pytest -m "vllm or llamacpp" tests/llamacpp tests/vllm

test-vllm: test-engines

drill: ## Switch, kill, canary and roll back under load, with a real vLLM on CPU; prints a table (ONLY=scripted|real|exchange: a part of it)
	@scripts/setup.sh --tests
	@cd tests && ../$(PYTHON) -m drill $(if $(ONLY),--only $(ONLY))

check: ## ruff, mypy --strict, import-linter, slow regular expressions, shellcheck
	@scripts/setup.sh --tests
	@.venv/bin/ruff check && .venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@cd tests && ../$(PYTHON) -m patterns
	@.venv/bin/shellcheck scripts/*.sh deploy/ollama/*.sh services/gateway/*.sh vllm-entrypoint.sh

format: ## Fix and format with ruff
	@.venv/bin/ruff check --fix && .venv/bin/ruff format

lock: ## Resolve dependencies again, one lock file per deployable, with hashes and without index URLs
	@scripts/lock.sh

bench: setup ## Measure start-up, memory, ingestion, searches and answers under load of the all-in-one stack
	@for what in stack ingest query load; do .venv/bin/switchyard bench $$what || exit 1; done

bench-page: ## Measure how quick the page is, in a real Chromium
	@scripts/setup.sh --tests
	@cd tests && ../$(PYTHON) -m browser.figures

bench-overhead: setup ## Measure what the stack adds to calling an engine directly
	@.venv/bin/switchyard bench overhead

use-vllm: ## Switch text to vLLM; nothing restarts
	@$(OPERATE) providers use vllm

use-ollama: ## Switch text to Ollama
	@$(OPERATE) providers use ollama

canary: ## Give the candidate a share of the conversations: make canary PERCENT=10
	@$(OPERATE) providers canary --percent $(PERCENT)

shadow: ## Send a share of the requests to the candidate as well: make shadow SAMPLE=20
	@$(OPERATE) providers shadow --percent $(SAMPLE)

promote: ## Make the candidate the stable backend
	@$(OPERATE) providers promote

rollback: ## End a canary or a shadow, or go back to the previous backend
	@$(OPERATE) providers rollback

halt: ## Emergency stop of all generation
	@$(OPERATE) providers halt

resume: ## Undo halt
	@$(OPERATE) providers resume

compare: ## Compare two backends by the same questions, with a report: make compare A=ollama B=vllm QUESTIONS=FILE
	@$(OPERATE) compare --a $(A) --b $(B) --questions $(QUESTIONS)

migrate: ## Migrate from one backend to another, by stages: make migrate FROM=ollama TO=vllm
	@$(OPERATE) migrate --from $(FROM) --to $(TO) $(if $(QUESTIONS),--questions $(QUESTIONS))

clean: ## Remove the virtual environment and the demo's data; caches outside the repository stay
	rm -rf .venv data/demo
