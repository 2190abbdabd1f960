# Needs git, make and npm on Node 20 or newer. The Node that OpenTalon runs on comes with `npm ci`.
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# Arguments for the program behind a target: make bench-guard ARGS="--help"
ARGS ?=
# How often each property is tried by `make fuzz`.
RUNS ?= 20000

installed := node_modules/.installed
bundle := packages/opentalon/dist/bundle/opentalon.js
sources := $(shell find packages/*/src plugins/*/src channels/*/src -name "*.test.ts" -o -print) \
	tooling/bundle-referenced-files.ts tooling/import-http-plainly.ts build.ts package.json
config := $(if $(wildcard config.yaml),config.yaml,config.example.yaml)

# Commands from node_modules, the right Node among them, whatever the machine has.
with_node := PATH="$(CURDIR)/node_modules/.bin:$$PATH"
from_source := $(with_node) node --conditions=@opentalon/source

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

.PHONY: run
run: $(bundle) ## Start OpenTalon with config.yaml, or with config.example.yaml when there is none
	@./opentalon --config $(config) $(ARGS)

.PHONY: all
all: $(installed) ## Install, check the types, build everything
	@$(MAKE) $(bundle)
	@$(with_node) tsc -b

.PHONY: build
build: $(bundle) ## Build what `./opentalon` starts

.PHONY: test
test: $(installed) ## Everything a change must pass: lint, format, types, unit, integration and e2e tests
	@$(MAKE) lint
	@$(MAKE) types
	@echo "== unit and integration tests" && $(with_node) vitest run --project unit
	@$(MAKE) $(bundle)
	@echo "== end-to-end tests" && $(with_node) vitest run --project e2e

.PHONY: test-languages
test-languages: $(bundle) ## Write, build and test plugins in each language this machine has; downloads libraries
	@$(MAKE) types
	@echo "== plugins in other languages" && $(with_node) vitest run --project languages

.PHONY: lint
lint: $(installed) ## Rules, layers, format, unused code
	@echo "== lint" && $(with_node) oxlint --deny-warnings
	@echo "== format" && $(with_node) oxfmt --check .
	@echo "== unused code" && $(with_node) knip

.PHONY: types
types: $(installed) ## Check the types
	@echo "== types" && $(with_node) tsc -b

.PHONY: format
format: $(installed) ## Format the code
	@$(with_node) oxfmt .

.PHONY: generate
generate: $(installed) ## Write generated code and reference pages anew
	@$(with_node) buf generate
	@if command -v go >/dev/null; then $(with_node) buf generate --template buf.gen.go.yaml; \
		else echo "Go is missing: the messages for plugins in Go stay as they are" >&2; fi
	@$(from_source) tooling/generate-config-reference.ts
	@$(from_source) tooling/generate-protocol-reference.ts
	@$(from_source) tooling/generate-example-plugins.ts

.PHONY: chaos
chaos: $(bundle) ## Kill the running core again and again, and count what was lost or doubled
	@$(from_source) bench/chaos/main.ts $(ARGS)

.PHONY: kills
kills: $(bundle) ## Kill channel processes, peers and the core under 50 messages a second, and count
	@$(from_source) bench/kills/main.ts $(ARGS)

.PHONY: bench
bench: $(bundle) ## Run every benchmark
	@for main in $(filter-out bench/chaos/% bench/kills/% bench/router/%,$(wildcard bench/*/main.ts)); do \
		echo "== $$main" && $(from_source) "$$main" || exit 1; done

.PHONY: bench-guard
bench-guard: $(installed) ## Measure the guard against injections
	@$(from_source) bench/guard/main.ts $(ARGS)

.PHONY: bench-router
bench-router: $(installed) ## Measure how well the router learns, which takes minutes
	@$(from_source) bench/router/main.ts $(ARGS)

.PHONY: fuzz
fuzz: $(installed) ## Try every property RUNS times
	@OPENTALON_FUZZ_RUNS=$(RUNS) $(with_node) vitest run --project unit --testTimeout=3600000 \
		$$(grep -rl --include='*.test.ts' --exclude-dir=node_modules --exclude-dir=dist fast-check packages plugins channels bench)

.PHONY: clean
clean: ## Remove what was built
	@rm -rf packages/*/dist plugins/*/dist channels/*/dist packages/*/*.tsbuildinfo .languages

# A new time stamp alone is no reason to install again.
$(installed): package-lock.json
	@if cmp -s package-lock.json $@; then touch $@; else ./tooling/install.sh; fi

$(bundle): $(installed) $(sources)
	@echo "Building ..." >&2
	@$(with_node) node build.ts >&2
