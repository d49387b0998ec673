# make run: the app on http://localhost:8501. make test: everything that CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint unit app browser bench clean

run: $(VENV)/.runtime
	$(BIN)/streamlit run app.py --server.port 8501

test: lint unit app browser

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(BIN)/pytest -q -n 2 tests/unit

app: $(VENV)/.dev
	$(BIN)/pytest -q -n 2 tests/app

browser: $(VENV)/.dev $(VENV)/.chromium
	$(BIN)/pytest -q -n 2 --dist loadfile tests/browser

bench: $(VENV)/.dev $(VENV)/.chromium
	$(BIN)/python -m benchmarks.sampling
	$(BIN)/python -m benchmarks.toy
	$(BIN)/python -m benchmarks.gradients
	$(BIN)/python -m benchmarks.structures
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.study
	$(BIN)/python -m benchmarks.browser
	$(BIN)/python -m benchmarks.live

$(VENV)/.runtime: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt requirements-cluster.txt
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@

# Debian has a Chromium of its own; elsewhere Playwright brings one.
$(VENV)/.chromium: $(VENV)/.dev
	if command -v chromium >/dev/null; then :; \
	elif command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq chromium; \
	else $(BIN)/playwright install chromium; fi
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
