# `make` alone explains the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Everything heavy lives outside the checkout, keyed by version, so that the second run is quick.
export EKB_CACHE ?= $(HOME)/.cache/ekb
export CARGO_TARGET_DIR ?= $(EKB_CACHE)/target
# Clippy compiles our crates: they are linted as they are built, and dependencies are compiled once. Always, or never: build scripts
# look at this variable, so that another value in the same target folder builds everything again.
export RUSTC_WORKSPACE_WRAPPER ?= clippy-driver
DEBUG := $(CARGO_TARGET_DIR)/debug
RELEASE := $(CARGO_TARGET_DIR)/release/terraform-provider-ekb
TOOLS := python3 acceptance-tests/tools/tools.py
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
PLATFORM := $(shell go env GOOS 2>/dev/null || uname -s | tr A-Z a-z)_$(shell go env GOARCH 2>/dev/null || echo amd64)
MIRROR := $(HOME)/.terraform.d/plugins

.PHONY: help env build release test sweep demo bench docs fmt lint tools install clean

help: ## explain the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

env: ## print what plain cargo needs to find what make has built: eval "$(make env)"
	@echo 'export CARGO_TARGET_DIR=$(CARGO_TARGET_DIR) RUSTC_WORKSPACE_WRAPPER=$(RUSTC_WORKSPACE_WRAPPER)'

# Everything at once, always: with fewer crates dependencies get other features, and the AWS SDK is built again.
build: ## build provider, rig and tests (dev profile)
	cargo build --workspace --all-targets

release: ## build the provider (release profile; slow)
	env -u RUSTC_WORKSPACE_WRAPPER cargo build --release -p terraform-provider-ekb

tools: ## build or install what the tests need into the cache
	$(TOOLS) ensure

test: ## set up everything needed and run every check and test
	acceptance-tests/test.py

sweep: build ## the whole product of cut points and faults (long)
	$(TOOLS) ensure
	rm -f sweep.json
	EKB_SWEEP=1 EKB_SWEEP_RESULT=$(CURDIR)/sweep.json cargo test --workspace --test sweep --test network_faults --test release -- --nocapture
	EKB_SWEEP=1 cargo test --workspace --test network --test network_plans --test kinds --test cluster
	cargo test --workspace --test differential -- --ignored --nocapture library

# Only what it needs, with the features that everything has: `make test` builds none of it again.
demo: ## plan, apply, mend, destroy an environment on the emulator: its network, then with a cluster
	@$(TOOLS) ensure venv & trap "kill $$! 2>/dev/null || true" EXIT; \
	$(TOOLS) watch 'building the provider with the AWS SDK' 650 \
	  cargo build --workspace --bin terraform-provider-ekb --bin demo; \
	wait $$!
	@$(DEBUG)/demo

bench: build release ## measure; prints a table and writes bench.json
	$(TOOLS) ensure venv helm
	env -u RUSTC_WORKSPACE_WRAPPER cargo build --release -p helm --example bench
	$(DEBUG)/bench

docs: build ## write docs/ from the schema and examples/
	$(TOOLS) ensure venv tfplugindocs
	acceptance-tests/docs.sh write

fmt: ## format everything
	cargo fmt --all

lint: build ## formatting, clippy, floors
	cargo fmt --all --check
	acceptance-tests/test.py warnings
	cargo test -q --workspace --test house

install: release ## put the release binary where Terraform and OpenTofu find it
	@for host in registry.terraform.io registry.opentofu.org; do \
	  dir=$(MIRROR)/$$host/ekb/ekb/$(VERSION)/$(PLATFORM); mkdir -p $$dir; \
	  install -m 755 $(RELEASE) $$dir/terraform-provider-ekb_v$(VERSION); done
	@printf '%s\n' 'Installed version $(VERSION) into $(MIRROR).' \
	  'Terraform and OpenTofu look there by themselves unless a CLI configuration (~/.terraformrc, ~/.tofurc) says otherwise; then add:' '' \
	  'provider_installation {' '  filesystem_mirror {' '    path    = "$(MIRROR)"' '    include = ["registry.terraform.io/ekb/ekb", "registry.opentofu.org/ekb/ekb"]' '  }' \
	  '  direct {' '    exclude = ["registry.terraform.io/ekb/ekb", "registry.opentofu.org/ekb/ekb"]' '  }' '}'

clean: ## remove build results (keeps the tools)
	cargo clean
