# Every target sets up what it needs in .venv; afterwards the command is .venv/bin/cargo-deck.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo run test test-long check format bench bench-plan screenshots clean

setup: .venv/.ready

.venv/.ready: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "cargo-deck needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python -m compileall -q core tui
	touch $@

demo: setup
	$(BIN)/cargo-deck demo

run: setup
	$(BIN)/cargo-deck

test: setup
	@.ci/tools tmux jq git gcc make mold lld clang cmake ninja
	@.ci/toolchains
	$(BIN)/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder

# The same trials with full counts: an hour or more.
test-long: setup
	@.ci/toolchains
	$(BIN)/python -m pytest -q -n 2 -m long
	$(BIN)/python -m bench.caller
	$(BIN)/python -m bench.owner --trials 100
	$(BIN)/python -m bench.stop --trials 1000
	$(BIN)/python -m bench.kills --trials 100
	$(BIN)/python -m bench.links
	$(BIN)/python -m bench.oom
	$(BIN)/python -m bench.locks
	$(BIN)/python -m bench.store
	$(BIN)/python -m bench.agent_caches
	$(BIN)/python -m bench.user_caches
	$(BIN)/python -m bench.bottleneck
	$(BIN)/python -m bench.prober
	$(BIN)/python -m bench.nvcc_front
	$(BIN)/python -m bench.nvcc_cache
	$(BIN)/python -m bench.stale
	$(BIN)/python -m bench.watch
	$(BIN)/python -m bench.watch --hour
	$(BIN)/python -m bench.advice --cuda

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m bench.overhead
	$(BIN)/python -m bench.plan_warm
	$(BIN)/python -m bench.cpu_share
	$(BIN)/python bench/bench_parsers.py
	$(BIN)/python bench/bench_engine.py
	$(BIN)/python -m bench.bench_board
	$(BIN)/python -m bench.throughput
	$(BIN)/python -m bench.writer
	$(BIN)/python -m bench.key_paint
	$(BIN)/python -m bench.full_state

# Builds published crates for hours on an otherwise idle machine; KEEP=DIR goes on where a stopped one was.
bench-plan: setup
	$(BIN)/python -m bench.plan $(if $(KEEP),--keep $(KEEP))

screenshots: setup
	$(BIN)/python screenshots/make.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
