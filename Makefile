# make demo   install into .venv, train PopSASRec on the demo data, print the result
# make experiment   install, run eight systems side by side on the demo data, write a report
# make test   install what testing needs, then lint, types and the fast tests
# PYTHON=python3.12 picks the interpreter for .venv; ARGS="-k head" goes to pytest.

PYTHON ?= python3
PYTHONS ?= 3.10 3.11 3.12 3.13 3.14
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --no-warn-conflicts --constraint $(CONSTRAINTS)
ARGS ?=

.PHONY: help demo experiment test pytest test-slow test-oldest test-pythons lint format docs wheel clean

help:
	@sed -n 's/^# //p' Makefile | head -4
	@echo 'make test-slow | test-oldest | test-pythons | lint | format | docs | wheel | clean'

demo: $(VENV)/.installed
	$(BIN)/python run_recbole_popaware.py --model=PopSASRec

experiment: $(VENV)/.installed
	$(BIN)/python -m recbole_popaware.experiment properties/experiments/demo.yaml --jobs 2

test: lint pytest

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow $(ARGS)

test-oldest:
	$(MAKE) --no-print-directory pytest PYTHON=python3.10 VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt

# The fast tests in every Python that this machine has, one line each; the output is in .venv-VERSION/test.log.
test-pythons:
	@status=0; for version in $(PYTHONS); do \
		python$$version -c '' 2>/dev/null || { echo "Python $$version: not on this machine"; continue; }; \
		log=.venv-$$version/test.log; mkdir -p .venv-$$version; \
		$(MAKE) pytest PYTHON=python$$version VENV=.venv-$$version ARGS="-q $(ARGS)" > $$log 2>&1 || status=1; \
		echo "Python $$version: $$(grep -aiE 'passed|failed|error' $$log | tail -n 1)"; \
	done; exit $$status

pytest: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

# Types are checked with the annotations of current NumPy, which Python 3.10 does not get.
lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 11))' || $(BIN)/mypy

format: $(VENV)/.installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo 'the pages are in site/index.html'

wheel: $(VENV)/.installed-test
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf .venv .venv-* build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# RecBole by itself: where its ray has no build (Python 3.12 and later), pip leaves it out of the requirements.
$(VENV)/.installed: setup.py pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 10))' || { \
		echo "error: $$($(PYTHON) --version 2>&1 || echo no Python) at [$(PYTHON)]; Python 3.10 or later is needed." \
			"Name one with 'make PYTHON=python3.12 ...'." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	$(INSTALL) --no-deps recbole==1.2.1
	@touch $@

$(VENV)/.installed-test $(VENV)/.installed-docs: $(VENV)/.installed-%: $(VENV)/.installed
	$(INSTALL) --editable '.[$*]'
	@touch $@
