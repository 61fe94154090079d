# make demo   install into .venv, train PopSASRec on the demo data, print the result
# make experiment   install, run eight systems side by side on the demo data, write a report
# make test   install what testing needs, then lint, types and the fast tests
# PYTHON=python3.11 picks the interpreter for .venv; ARGS="-k head" goes to pytest.

PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help demo experiment test pytest test-slow test-oldest lint format wheel clean

help:
	@sed -n 's/^# //p' Makefile | head -4
	@echo 'make test-slow | test-oldest | lint | format | wheel | clean'

demo: $(VENV)/.installed
	$(BIN)/python run_recbole_popaware.py --model=PopSASRec

experiment: $(VENV)/.installed
	$(BIN)/python -m recbole_popaware.experiment properties/experiments/demo.yaml --jobs 2

test: lint pytest

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow $(ARGS)

test-oldest:
	$(MAKE) --no-print-directory pytest VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt

pytest: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: $(VENV)/.installed-test
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf .venv .venv-oldest build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.installed: setup.py $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))' || { \
		echo "error: $$($(PYTHON) --version 2>&1 || echo no Python) at [$(PYTHON)]; Python 3.9, 3.10 or 3.11 is needed, since RecBole" \
			"1.2.1 asks for a ray that has no build for later ones. Name one with 'make PYTHON=python3.11 ...'," \
			"or see 'Python 3.12 and later' in README.md." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable '.[test]'
	@touch $@
