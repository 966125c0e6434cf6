# Each target sets up what it needs first; `make demo` and `make test` are all a newcomer has to type.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
INSPECT := $(VENV)-inspect

.PHONY: help setup setup-dev setup-bayes demo test check format slow bench science conformance clean
.DEFAULT_GOAL := help

help:
	@echo "make demo         rank the built-in predictors on the demo runs, and build a page"
	@echo "make test         run the tests"
	@echo "make check        format, lint, types, import contracts, examples of the docs"
	@echo "make slow         tests that take minutes"
	@echo "make bench        timings, as ratios within one run"
	@echo "make science      measure the predictors; writes docs/{results,tasks,items,statistics,compare}.md"
	@echo "make conformance  compare with the original implementations, in their own environments"

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev
setup-bayes: $(VENV)/.ready-bayes

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "benchcast needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	       "Name another with: make PYTHON=python3.12 …" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv: install it (Debian, Ubuntu: apt install python3-venv)," \
	       "or name another Python with: make PYTHON=…" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv 2>/dev/null \
	  || echo "uv is not to be had; pip does the work."
	@touch $@

# uv where it can be had and works here, pip otherwise
INSTALL = { [ -x $(BIN)/uv ] && $(BIN)/uv pip install -q --python $(BIN)/python $(1) 2>/dev/null; } \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check $(1)

# by a name: a comma would divide the arguments of call
WITH_BAYES = -e '.[dev,bayes,plot]'

$(VENV)/.ready: pyproject.toml | $(VENV)/.made
	@$(call INSTALL,-e '.[pages]')
	@touch $@

$(VENV)/.ready-dev: pyproject.toml | $(VENV)/.made
	@$(call INSTALL,-e '.[dev]')
	@touch $@ $(VENV)/.ready

$(VENV)/.ready-bayes: $(VENV)/.ready-dev
	@$(call INSTALL,$(WITH_BAYES))
	@touch $@

demo: setup
	@$(BIN)/harness evaluate demo/standin-v1 demo/inspect --predictor quick \
	  --predictor "hibayes(draws=50)" --k 0,5,20 --jobs $(JOBS) \
	  --out demo-results --overwrite
	@$(BIN)/leaderboard build demo-results --out demo-site

test: setup-dev
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile -m "not slow and not science" --ignore=tests/docs

check: setup-dev
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q -n $(JOBS) --doctest-modules suites harness predictors hibayes leaderboard
	@$(BIN)/python -m pytest -q tests/docs

format: setup-dev
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

slow: setup-dev
	@$(BIN)/python -m pytest -q -m slow

bench: setup-bayes
	@$(MAKE) -s $(INSPECT)/.ready || echo "No inspect_ai to be had: the lines on its logs are left out."
	@BENCHCAST_INSPECT_PYTHON=$(abspath $(INSPECT))/bin/python \
	  BENCHCAST_BAYES_PYTHON=$(abspath $(BIN))/python \
	  $(BIN)/python tests/bench/bench.py --write docs/bench.md
	@$(BIN)/python tests/bench/jail_bench.py
	@$(BIN)/python tests/bench/pages_bench.py
	@$(BIN)/python tests/bench/growth_bench.py --write docs/growth.md

science: setup-dev
	@$(BIN)/python tests/science/tasks.py --write docs/tasks.md
	@$(BIN)/python tests/science/items.py --write docs/items.md
	@$(BIN)/python tests/science/ranking.py --write docs/statistics.md
	@$(BIN)/python tests/science/pairs.py --write docs/compare.md
	@$(BIN)/python tests/science/results.py --write docs/results.md

# HELM without its dependencies: its data classes and schemas need only these.
ORIGINALS := $(VENV)-originals
HELM_NEEDS := zstandard colorlog filelock tqdm pyhocon sqlitedict retrying Mako 'dacite~=1.6' 'cattrs~=22.2'

$(ORIGINALS)/.ready: | $(VENV)/.made
	@$(BIN)/python -m venv $(ORIGINALS)
	@$(ORIGINALS)/bin/python -m pip install -q --disable-pip-version-check \
	  aiq-magnet==0.1.0 'pandas<3' $(HELM_NEEDS)
	@$(ORIGINALS)/bin/python -m pip install -q --disable-pip-version-check --no-deps crfm-helm==0.5.16
	@touch $@

# Inspect, newest, with what its frames need, and benchcast beside it.
$(INSPECT)/.ready: pyproject.toml | $(VENV)/.made
	@$(BIN)/python -m venv $(INSPECT)
	@$(INSPECT)/bin/python -m pip install -q --disable-pip-version-check -U inspect-ai pandas pyarrow -e .
	@touch $@

conformance: setup-dev $(ORIGINALS)/.ready $(INSPECT)/.ready
	@$(INSPECT)/bin/python -m pip install -q --disable-pip-version-check -U inspect-ai
	@BENCHCAST_MAGNET_PYTHON=$(abspath $(ORIGINALS))/bin/python \
	  BENCHCAST_INSPECT_PYTHON=$(abspath $(INSPECT))/bin/python \
	  BENCHCAST_CONFORMANCE_PAGE=$(CURDIR)/docs/conformance.md \
	  BENCHCAST_HELM_SCHEMAS=$$(echo $(abspath $(ORIGINALS))/lib/python3.*/site-packages/helm/benchmark) \
	  $(BIN)/python -m pytest -q -s tests/conformance

clean:
	@rm -rf $(VENV) $(ORIGINALS) $(INSPECT) demo-results demo-site
