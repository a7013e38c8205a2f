PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Replace to use another build, for example: make venv TORCH="torch==2.8.0 --index-url <where your build lives>"
TORCH ?= torch==2.13.0
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps
BUILDING := $(shell grep -E "^(editables|hatchling|pathspec|trove-classifiers)==" requirements-dev.txt)
# Two files of tests at a time, each on a core of its own, in the order of their names: the long ones are not the last.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-slow check docs fix format clean venv ambiguity
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runs ## set up what it needs and run the main job on synthetic data
	$(BIN)/benchmark run --protocol dfew-5fold --demo

test: check ## set up everything, check style and types, run the tests
	$(PYTEST)

test-slow: check ## everything `test` does, and the checks that take minutes
	$(PYTEST) -m "slow or not slow"

check: venv ## style, types, and the rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	PYTHONPATH=. $(BIN)/python .ci/check_names.py

docs: venv ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

fix: venv ## mend what ruff can mend by itself, and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

format: venv ## format the code
	$(BIN)/ruff format .

clean: ## remove caches and build files; keep .venv and runs
	rm -rf build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

ambiguity: venv ## the experiment on blended emotions: half an hour on two cores
	$(BIN)/python -m experiments.ambiguity.run

venv: .venv/.ready ## set up .venv with exact versions
.venv/.ready: .venv/.runs requirements-dev.txt requirements-docs.txt
	$(PIP) -r requirements-dev.txt -r requirements-docs.txt
	touch $@

# Half of the packages: what runs, without what tests it and builds the pages.
.venv/.runs: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) $(TORCH)
	$(PIP) -r requirements.txt $(BUILDING)
	$(PIP) --no-build-isolation -e .
	touch $@
