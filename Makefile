# A fresh machine needs two commands: `make demo` and `make test`. `make check` is what CI runs.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO := data/demo

.PHONY: demo test check lint types install lock clean

demo: $(INSTALLED)
	$(BIN)/python -c "from pathlib import Path; from pocket.starter import write_demo; write_demo(Path('$(DEMO)'))"
	$(BIN)/python cli.py caption --image $(DEMO)/ihc.png --image $(DEMO)/smear.png

test: $(INSTALLED)
	$(BIN)/python -m pytest

check: lint types test

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

install: $(INSTALLED)

# Bytecode is compiled here, once: without it every command spends 20 s compiling torch and its kin.
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

# For the oldest Python of 3.11, so that the lock suits every one.
lock:
	$(BIN)/uv pip compile --quiet --upgrade --python-version 3.11.0 --all-extras --no-emit-index-url --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis data/demo
	find . -name __pycache__ -prune -exec rm -rf {} +
