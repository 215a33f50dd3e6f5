# The two commands of the README are `make up` and `make test`; `make help` lists the others.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

STACK ?= dev
NODE ?= manager-1
PYTHON ?= python3
# pulumi when it is there, else the hermetic engine; ENGINE=pulumi|hermetic forces one.
ENGINE ?= $(if $(shell command -v pulumi 2>/dev/null),pulumi,hermetic)
PULUMI = $(if $(filter pulumi,$(ENGINE)),pulumi,bin/hermetic)
# The cloud of the stack: only the local one needs Docker and the built images before a preview.
CLOUD = $(or $(shell sed -n 's/^ *flotilla:cloud: *\([a-z]*\).*/\1/p' Pulumi.$(STACK).yaml 2>/dev/null),local)
WORK := .flotilla
PY := .venv/bin/python

export PULUMI_BACKEND_URL ?= file://$(CURDIR)/$(WORK)/state
ifndef PULUMI_CONFIG_PASSPHRASE
export PULUMI_CONFIG_PASSPHRASE_FILE ?= $(CURDIR)/$(WORK)/passphrase
endif
export PULUMI_SKIP_UPDATE_CHECK ?= true
# An Output in an f-string raises instead of becoming a help text.
export PULUMI_ERROR_OUTPUT_STRING ?= 1

.PHONY: help up preview refresh status output export-stack cost ssh move down clean push test test-all test-fast test-e2e lint lock schema policy compose-page images \
	identity stack docker preflight

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: preflight stack ## Bring the stack up, or change it to what its file says (STACK=dev)
	@$(PULUMI) up --stack $(STACK) --yes --skip-preview $(ARGS)
	@$(PY) -m stacks.status --stack $(STACK) --engine $(PULUMI)

preview: stack ## What `up` would change (JSON=1 for machines)
	@$(PULUMI) preview --stack $(STACK) $(if $(JSON),--json,--diff) $(ARGS)

refresh: stack ## Read what is really there into the state
	@$(PULUMI) refresh --stack $(STACK) --yes --skip-preview $(ARGS)

status: $(PY) ## Nodes, services and URLs
	@$(PY) -m stacks.status --stack $(STACK) --engine $(PULUMI)

output: $(PY) ## One output of the stack, a secret one in plain (NAME=registry_password)
	@$(PULUMI) stack output "$(NAME)" --stack $(STACK) --show-secrets

export-stack: $(PY) ## The running stack's services as a file for `docker stack deploy`, on standard output
	@$(PY) -m stacks.export --stack $(STACK) --engine $(PULUMI)

cost: $(PY) ## What the stack costs a month, by role and volume (PRICES=2016 for the book's)
	@$(PY) -m stacks.cost --stack $(STACK) $(if $(PRICES),--prices $(PRICES))

push: images ## Push the built images to the registry of the stack's file, for its nodes to pull
	@$(PY) -m stacks.push --stack $(STACK)

ssh: $(PY) ## A shell on a machine (NODE=manager-1)
	@$(PY) -m stacks.shell --stack $(STACK) --engine $(PULUMI) $(NODE)

move: $(PY) ## Stop what uses a volume and take it to another node (VOLUME=registry TO=worker-2), for the stack file to name
	@$(PY) -m stacks.move --stack $(STACK) --engine $(PULUMI) "$(VOLUME)" "$(TO)"

down: $(PY) ## Take the stack away: containers, networks, volumes and state; built images stay
	@$(PY) -m stacks.files down --stack $(STACK) --engine $(PULUMI)

clean: $(PY) ## Remove the built images and what make installed in this folder
	@$(PY) -m stacks.files clean
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis

test: .venv/.dev docker ## Every test but those of test-all; end to end: stack dev, and the other products in two halves
	@$(MAKE) images STACK=dev && $(MAKE) images STACK=all
	@$(PY) -m pytest -n 2 --dist loadgroup -m "not deep" $(ARGS)

test-all: test ## Then each product's stack file on real Docker in depth: moves, failures, scaling, load
	@$(PY) -m pytest -m deep $(ARGS)

test-fast: .venv/.dev ## The inner loop: without the slow ones
	@$(PY) -m pytest -n 2 --dist loadgroup -m "not e2e and not slow" $(ARGS)

test-e2e: .venv/.dev docker ## Only the tests on real Docker
	@$(MAKE) images STACK=dev && $(MAKE) images STACK=all
	@$(PY) -m pytest -m e2e $(ARGS)

lint: .venv/.dev ## Format, rules and types
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/basedpyright

schema: $(PY) ## Renew the JSON schema of the stack files, and the tables of settings in the documents
	@$(PY) -m stacks.schema > stacks/settings.schema.json && $(PY) -m stacks.tables

compose-page: $(PY) ## Renew the tables of docs/compose.md
	@$(PY) -m stacks.compose_page

policy: .venv/.dev ## Renew the least-privilege policy of AWS
	@$(PY) -m stacks.permissions

lock: .venv/.dev ## Renew requirements*.txt from requirements*.in
	@.venv/bin/uv pip compile -q --no-header --no-annotate --python-version 3.11 requirements.in -o requirements.txt
	@.venv/bin/uv pip compile -q --no-header --no-annotate --python-version 3.11 requirements-dev.in -o requirements-dev.txt

docker:
	@bin/docker-up >&2

preflight: $(if $(filter local,$(CLOUD)),docker) $(PY)
	@$(PY) -m stacks.preflight --stack $(STACK) --engine $(PULUMI)

$(PY): requirements.txt
	@echo "making .venv" >&2
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $(PY)

.venv/.dev: requirements.txt requirements-dev.txt | $(PY)
	@.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	@touch $@

images: docker $(PY)
	@services=$$($(PY) -m stacks.images --stack $(STACK)) && needs=$$($(PY) -m images.needs --services "$$services") \
	&& { [ -z "$$needs" ] || bin/docker-up $$needs >&2; } && $(PY) -m images.build --services "$$services" >&2

identity: $(PY)
	@$(PY) -m stacks.files identity

stack: $(if $(filter local,$(CLOUD)),images) identity
	@$(PY) -m stacks.files stack --stack $(STACK) --engine $(PULUMI)
