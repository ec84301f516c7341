# Two commands matter: `make run` and `make test`. Both build their environment in .venv first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
DATASET ?= data/rossmann
JOBS ?= 2
PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
# uv may copy between filesystems; its hint about hard links helps nobody here.
export UV_LINK_MODE ?= copy
export MPLBACKEND = Agg
export JUPYTER_PLATFORM_DIRS = 1

.PHONY: run test environment development clean clean-notebooks export check notebooks pytest fuzz constraints

run: environment
	$(BIN)/ttm run $(DATASET) --jobs $(JOBS)

test: development check notebooks pytest

environment: .venv/.installed
development: .venv/.development

.venv/bin/uv:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" 2>/dev/null || { echo "Python 3.11 is needed and '$(PYTHON)' is not it. Install it, or name it: make run PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$$(sed -n 's/^uv==//p' constraints.txt)

.venv/.installed: .venv/bin/uv settings.ini setup.py constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[desk,sources]'
	touch $@

.venv/.development: .venv/.installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[desk,sources,keys,serve,registry,bench,dev]'
	touch $@

# Style, layers and step: notebooks without outputs, exports as their notebooks say, imports one way, modules that lint.
check: development
	$(BIN)/python tools/clean.py --check
	$(BIN)/python tools/sync.py --check
	$(BIN)/python tools/layers.py
	$(BIN)/ruff check ttm_notebooks tools benchmarks setup.py

# Every notebook runs top to bottom, as an analyst would run it.
notebooks: development
	OMP_NUM_THREADS=1 $(BIN)/nbdev_test --n_workers 2 --timing

# The exported tests, from the installed package, with coverage; red below 90 %. Each worker starts with one half in order, so that a module's servers
# and runs are made once, and takes from the other's half when its own is done.
pytest: development
	rm -f .coverage .coverage.*
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -rs --durations 15 --pyargs ttm_notebooks.tests --cov=ttm_notebooks --cov-config=.coveragerc --cov-report=term --cov-fail-under=90

# Whatever can be sent to the service, at length (a short form is among the tests).
fuzz: development
	TTM_EXAMPLES=500 OMP_NUM_THREADS=1 $(BIN)/python -m pytest --pyargs ttm_notebooks.tests.serve.test_api -k whatever
	TTM_EXAMPLES=200 OMP_NUM_THREADS=1 $(BIN)/python -m pytest --pyargs ttm_notebooks.tests.ingest.test_landing_feeds -k whatever

export: development
	$(BIN)/python tools/sync.py

clean-notebooks: development
	$(BIN)/python tools/clean.py

# Pin the whole environment again (after a change of settings.ini).
constraints: .venv/bin/uv
	$(BIN)/uv pip compile --quiet --refresh-package ttm-notebooks --all-extras --python-version 3.11 --no-emit-index-url --no-annotate --no-header --output-file constraints.txt setup.py
	$(BIN)/uv --version | sed 's/^uv \([0-9.]*\).*/uv==\1/' >> constraints.txt

clean:
	rm -rf .venv reports/output data/*/raw build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov
