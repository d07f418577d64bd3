# The single door: people, hooks and CI all come in here.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Many tests wait for processes they started: one more at once than there are processors.
JOBS   ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.DEFAULT_GOAL := help
.PHONY: help demo book impact movie rules test check lint types layers unit live faults clients bench farm lock clean

help:
	@echo "make demo    build the example, edit a header, build again, ask why"
	@echo "make book    a book of 1,200 lessons: ingest, hydrate, build, check"
	@echo "make impact  a project of 52 test files: which of them an edit runs, and why"
	@echo "make movie   build a film from a blueprint, edit an input and an artefact"
	@echo "make rules   compile context rules to CLAUDE.md, AGENTS.md and .mdc files"
	@echo "make test    the whole suite (installs what it needs)"
	@echo "make check   ruff, mypy --strict, import-linter, unit tests"
	@echo "make faults  the long fault sweeps"
	@echo "make clients real projects by CMake and ninja, MCP and HTTP clients"
	@echo "make bench   the measurements"

# Everything below runs in an environment of its own, made from the lock file alone.
$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

book: $(VENV)/.ready
	PATH="$(CURDIR)/$(BIN):$$PATH" $(MAKE) -C examples/book

impact: $(VENV)/.ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/impact/run.sh

movie: $(VENV)/.ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/movie/run.sh

rules: $(VENV)/.ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/context-rules/run.sh

lint: $(VENV)/.ready
	$(BIN)/ruff check .
types: $(VENV)/.ready
	$(BIN)/mypy
layers: $(VENV)/.ready
	$(BIN)/lint-imports
unit: $(VENV)/.ready
	$(BIN)/pytest -n $(JOBS) tests/unit
check: lint types layers unit

test: lint types layers
	$(BIN)/pytest -n $(JOBS) --dist loadgroup -m "not slow" tests

live: $(VENV)/.ready
	$(BIN)/pytest -m live tests
faults: $(VENV)/.ready
	WINDROW_SWEEPS=all $(BIN)/pytest -n $(JOBS) --dist loadgroup -m "(fault or slow) and not alone" tests
	WINDROW_SWEEPS=all $(BIN)/pytest -n $(JOBS) tests/scenarios/test_like_ninja.py
	$(BIN)/pytest -m alone tests
clients: $(VENV)/.ready
	CI=true $(BIN)/pytest tests/live/test_real_ninja.py tests/scenarios/test_cmake_features.py \
	  tests/scenarios/test_ninja_writers.py tests/scenarios/test_mcp.py tests/scenarios/test_http_api.py
bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks

lock: $(VENV)/.ready
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --extra farm --extra server --group dev pyproject.toml -o requirements.lock
	printf 'setuptools>=80\n' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url -c requirements.lock pyproject.toml - -o infra/docker/requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build
