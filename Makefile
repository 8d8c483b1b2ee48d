# Two commands do everything on a machine with only Python (3.11 or newer) and make:
#   make demo   fit, explain, draw and report the embedded data set; outputs in demo-output/
#   make test   the whole test suite; e.g. PYTEST_ARGS='-m "not slow" tests/test_cli.py'
# and make docs builds the site, with gallery and reference, in docs/_build/html. All make .venv when it is missing and reinstall only when pyproject.toml or constraints.txt changed.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTEST_ARGS ?=

.PHONY: demo test docs lint format clean

demo: $(VENV)/.installed
	$(BIN)/kan-tabular demo --out demo-output

test: $(VENV)/.installed-test
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

# Tables beside the project, if there are any, give the examples with public tables their pictures.
ifneq ($(wildcard ../shared/data),)
docs: export KAN_TABULAR_DATA ?= $(abspath ../shared/data)
endif
docs: $(VENV)/.installed-docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -b html -W --keep-going docs docs/_build/html

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist demo-output .pytest_cache .ruff_cache .hypothesis docs/_build docs/api docs/auto_examples

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "kan-tabular needs Python 3.11 or newer; none was found (set PYTHON=...)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing kan-tabular into $(VENV) (minutes the first time)"
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing kan-tabular and its test tools into $(VENV) (minutes the first time)"
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing kan-tabular and what its site needs into $(VENV) (minutes the first time)"
	$(PIP) --editable '.[docs]'
	@touch $@ $(VENV)/.installed
