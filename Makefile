# The two main commands are `make run` and `make test`. Both first build their environment in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
DATASET ?= data/rossmann
JOBS ?= 2
FOLDER ?= $(error name the folder you changed, for example: make test-fast FOLDER=serve)
TESTS := ttm_notebooks/tests
PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
# uv may copy between filesystems; its hint about hard links is of no use here.
export UV_LINK_MODE ?= copy
export MPLBACKEND = Agg
export JUPYTER_PLATFORM_DIRS = 1

.PHONY: run test docs wheel test-fast environment development clean clean-notebooks export check notebooks guides pytest fuzz constraints

run: environment
	$(BIN)/ttm run $(DATASET) --jobs $(JOBS)
	@echo "To call ttm yourself: $(abspath $(BIN))/ttm --help, or: source $(abspath $(BIN))/activate && ttm --help"

test: development check notebooks pytest wheel docs

environment: .venv/.installed
development: .venv/.development

.venv/bin/uv:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" 2>/dev/null || { echo "Python 3.11 is required, but '$(PYTHON)' is another version. Install Python 3.11, or give its path: make run PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,$$p' constraints.txt > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt

.venv/.installed: .venv/bin/uv settings.ini setup.py constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[references,train,desk,sources,serve,registry]'
	touch $@

.venv/.development: .venv/.installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[references,train,desk,sources,serve,registry,keys,bench,docs,dev]'
	touch $@

# Check: notebooks without outputs, exports in step with the notebooks, order of imports, style, lint. Under 30 seconds.
check: development
	$(BIN)/python tools/clean.py --check
	$(BIN)/python tools/sync.py --check
	$(BIN)/python tools/layers.py
	$(BIN)/python tools/style.py
	$(BIN)/ruff check ttm_notebooks tools benchmarks docs setup.py

# Run every notebook from top to bottom, as an analyst would.
notebooks: development
	OMP_NUM_THREADS=1 $(BIN)/nbdev_test --n_workers 2 --timing --skip_folder_re '^([._]|guides$$)'

# Run the exported tests with coverage; fail below 90 %. All tests of a module run in one worker, so its servers and runs
# start once; the modules with the most tests come first, so both workers end at about the same time. A worker that dies is
# not replaced: its replacement would run the same test again, for ever.
pytest: development
	rm -f .coverage .coverage.*
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope --max-worker-restart 0 -rs --durations 15 $(TESTS) --cov=ttm_notebooks --cov-config=.coveragerc --cov-report=term --cov-fail-under=90

# Build the documentation site into build/site: execute the guides, generate the reference, refuse warnings and dead links.
docs: development
	rm -rf build/docs build/site
	$(BIN)/python docs/prepare.py build/docs
	$(BIN)/sphinx-build -q -W --keep-going -b html build/docs build/site
	$(BIN)/python docs/check_site.py build/site

# Install the built wheel into an empty environment without torch, and use it: ttm init, run, serve. Limits on size and time.
wheel: development
	$(BIN)/python tools/wheel_check.py

# Run the notebooks and tests of the folder you changed: make test-fast FOLDER=serve
test-fast: development
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope --max-worker-restart 0 $(TESTS)/$(FOLDER)
	OMP_NUM_THREADS=1 $(BIN)/nbdev_test --n_workers 2 --path "$$(ls -d nbs/[0-9][0-9]_$(FOLDER))"

# Run every guide on every data set, as a reader does who changes DATASET: about a quarter of an hour.
guides: development
	TTM_GUIDES=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(TESTS)/test_guides.py

# Run the random tests at length: requests to the service, edits of a source, changes of an audit log. make test runs a few
# of each.
fuzz: development
	TTM_EXAMPLES=500 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TESTS)/serve/test_api.py
	TTM_EXAMPLES=200 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TESTS)/ingest/test_landing_feeds.py $(TESTS)/ingest/test_erasure.py $(TESTS)/ingest/test_small_groups.py
	TTM_EXAMPLES=1000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TESTS)/audit/test_verification.py
	TTM_EXAMPLES=100 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TESTS)/core $(TESTS)/warehouse $(TESTS)/serve/auth $(TESTS)/registry $(TESTS)/evaluation/test_backtest.py

export: development
	$(BIN)/python tools/sync.py

clean-notebooks: development
	$(BIN)/python tools/clean.py

# Pin the whole environment again (after a change of settings.ini): every package with the hashes of its files, uv last.
# Each installation refuses a file with another hash.
PINS := --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header
constraints: .venv/bin/uv
	$(BIN)/uv pip compile $(PINS) --refresh-package ttm-notebooks --all-extras --output-file constraints.txt setup.py
	$(BIN)/uv --version | sed 's/^uv \([0-9.]*\).*/uv==\1/' | $(BIN)/uv pip compile $(PINS) - >> constraints.txt

clean:
	rm -rf .venv reports/output data/*/raw build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov
