# Everything a checkout needs, with only Python 3.11 or newer and make. `make` alone lists it.
#
# Three environments: .venv has what tests and checks need and the package as it stands in the tree; .venvs/serve has
# what runs, and the package installed as users have it; .venvs/docs builds the site. All are made from the locks in
# requirements/, hashes checked.

PYTHON ?= python3
ADDRESS ?= 127.0.0.1:9000
DATA_DIR ?= data
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
SERVE := .venvs/serve
SITE := .venvs/docs
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
# The locks are complete, so pip has nothing to resolve (and would stumble over a dependency that names an extra).
LOCKED := $(PIP_INSTALL) --require-hashes --no-deps
SOURCES := $(shell find lightningstor -name '*.py')

.DEFAULT_GOAL := help
.PHONY: help serve test lint types proof bench interop locks docs site clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1: \2/p' Makefile

# $(1): the folder. Says what is missing where Debian's Python has no venv of its own.
define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "LightningStor needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "this Python makes no environments: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(1)
endef

$(SERVE)/locked: requirements/build.txt requirements/runtime.txt
	$(call make_venv,$(SERVE))
	$(SERVE)/bin/python $(LOCKED) -r requirements/build.txt -r requirements/runtime.txt
	@touch $@

$(SERVE)/installed: $(SERVE)/locked pyproject.toml README.md $(SOURCES)
	$(SERVE)/bin/python $(PIP_INSTALL) --no-build-isolation --no-deps --force-reinstall .
	@rm -rf build *.egg-info
	@touch $@

$(VENV)/locked: requirements/build.txt requirements/test.txt requirements/lint.txt
	$(call make_venv,$(VENV))
	$(BIN)/python $(LOCKED) -r requirements/build.txt -r requirements/test.txt -r requirements/lint.txt
	@touch $@

# Compatibility mode puts the checkout itself on the path: a hook on every import would slow the daemon's start.
$(VENV)/installed: $(VENV)/locked pyproject.toml
	$(BIN)/python $(PIP_INSTALL) --no-build-isolation --no-deps --config-settings editable_mode=compat --editable .
	@touch $@

serve: $(SERVE)/installed ## a store on this machine, with well-known credentials, for trying it out
	@echo
	@echo "  S3 at http://$(ADDRESS), data in $(DATA_DIR)/, Ctrl-C ends it. In another terminal:"
	@echo
	@echo "    export AWS_ACCESS_KEY_ID=lightningstor AWS_SECRET_ACCESS_KEY=lightningstor-secret"
	@echo "    export AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL=http://$(ADDRESS)"
	@echo "    aws s3 cp README.md s3://demo/      # the bucket demo is made at the start"
	@echo "    aws s3 ls s3://demo/"
	@echo
	@echo "  Or log in with these keys at http://127.0.0.1:9003, the web console."
	@echo
	@exec $(SERVE)/bin/lightningstor-server --dev --s3-addr $(ADDRESS) --data-dir $(DATA_DIR) --bucket demo

test: $(VENV)/installed ## all tests, the clients from PyPI and Debian among them
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/installed ## ruff, buf, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/buf lint
	$(BIN)/lint-imports

types: $(VENV)/installed ## mypy, strict
	$(BIN)/mypy

# Some of them take minutes: only one that takes a quarter of an hour is taken for hung.
proof: $(VENV)/installed ## the proofs of docs/proofs.md in full: half an hour on 2 cores
	$(BIN)/python -m pytest -m proof --proof-full --durations=15 -o faulthandler_timeout=900 $(PYTEST_ARGS)

interop: $(VENV)/installed ## every client, those of other languages too (they are built first)
	$(BIN)/python -m pytest -m interop --interop-more $(PYTEST_ARGS)

bench: $(VENV)/installed ## the speed table
	$(BIN)/python -m tests.bench

docs: $(VENV)/installed ## the pages that are generated from the code
	$(BIN)/python -m tests.docs

$(SITE)/locked: requirements/docs.txt
	$(call make_venv,$(SITE))
	$(SITE)/bin/python $(LOCKED) -r requirements/docs.txt
	@touch $@

site: $(SITE)/locked ## the documentation as a site, in build/site
	$(SITE)/bin/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

COMPILE := env -u PIP_FIND_LINKS CUSTOM_COMPILE_COMMAND="make locks" $(BIN)/pip-compile --quiet --upgrade \
	--generate-hashes --strip-extras --allow-unsafe --no-emit-find-links --no-emit-index-url --no-emit-trusted-host
CLIENT_LOCKS := $(patsubst %.in,%.txt,$(wildcard tests/interop/clients/*/requirements.in) \
	tests/admin/schemathesis/requirements.in requirements/docs.in)

# The locks are made with the oldest Python that is supported: what it needs is what the newer ones need.
locks: $(VENV)/installed ## newest versions of everything into the locks
	$(BIN)/python $(PIP_INSTALL) pip-tools
	$(COMPILE) -o requirements/build.txt requirements/build.in
	$(COMPILE) -o requirements/runtime.txt pyproject.toml
	$(COMPILE) --extra test -c requirements/runtime.txt -o requirements/test.txt pyproject.toml
	$(COMPILE) --extra lint -c requirements/test.txt -o requirements/lint.txt pyproject.toml
	for lock in $(CLIENT_LOCKS); do $(COMPILE) -o $$lock $${lock%.txt}.in || exit 1; done

clean: ## away with environments and caches; data/ stays
	rm -rf .venv .venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
