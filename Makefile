PYTHON ?= python3
PY := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test lint bench simulate crash pictures lock clean

run: .venv/.ready  ## the daemon on private test chains, with a shop stub
	.venv/bin/watcher sandbox

# many tests wait for nodes, deadlines and browsers: half as many again as there are processors keep those busy
WORKERS ?= $(shell expr $$(nproc) + $$(nproc) / 2)
test: .venv/.ready  ## everything; pytest comes last, so that its summary closes the output
	$(PY) -m watcher.sandbox.install --require
	$(PY) tests/support/npm_packages.py
	$(PY) tests/support/chromium.py
	$(MAKE) --no-print-directory lint
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder  # the longest come first

lint: .venv/.ready
	$(PY) -m ruff check && $(PY) -m ruff format --check && $(PY) -m mypy

bench: .venv/.ready
	$(PY) -m watcher.sandbox.install
	$(PY) tests/benchmarks

# what `make simulate` plays: SEED=7 that one alone, else SEEDS of them over JOBS processes
SEEDS ?= 20000
JOBS ?= 2
simulate: .venv/.ready  ## the simulator: a chain, a node and shops with every fault, against a naive oracle
	$(PY) tests/simulation --seeds $(SEEDS) --jobs $(JOBS) $(if $(SEED),--seed $(SEED)) $(if $(STEPS),--steps $(STEPS))

crash: .venv/.ready  ## the real daemon killed 2,000 times under load; KILLS=150 is what `make test` does, SEED repeats
	$(PY) -m watcher.sandbox.install --require
	KILLS=$(or $(KILLS),2000) SEED=$(or $(SEED),0) $(PY) -m pytest tests/crash/test_crash.py

pictures: .venv/.ready  ## takes those of the README again
	$(PY) tests/support/chromium.py
	$(PY) -m pytest tests/browser/test_stories.py
	$(PY) tests/support/pictures.py

lock:  ## needs uv; the lock names no index
	uv pip compile --quiet pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.lock

clean:
	rm -rf .venv .nodes .sandbox test-logs .pytest_cache .mypy_cache .ruff_cache .hypothesis

# uv where it works, else venv and pip; both check the hashes of the lock. The stamp says that it is done.
.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "$(PYTHON) is not Python 3.11 to 3.13: name one that is, as in: make PYTHON=python3.12" >&2; exit 1; }
	@if uv --version >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python "$(PYTHON)" .venv && \
	  uv pip install --quiet --compile-bytecode --python $(PY) --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .; \
	else \
	  { $(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	    { echo "Python's venv module is missing; install it: apt-get install python3-venv" >&2; exit 1; }; } && \
	  $(PYTHON) -m venv .venv && \
	  $(PY) -m pip install --quiet --require-hashes -r requirements.lock && \
	  $(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@
