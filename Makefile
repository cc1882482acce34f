# `make demo` and `make test` are all the set-up there is.
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DO_NOT_TRACK = 1
export PREFECT_SERVER_ANALYTICS_ENABLED = false
export GX_ANALYTICS_ENABLED = false
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: softhsm chromium setup models demo test check lint types imports guards docs texts lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Encounter needs Python 3.11 or newer; set PY=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PY) -m venv $(VENV) || { rm -rf $(VENV); echo "python3 -m venv failed: run  apt-get install python3-venv  (or  apt-get install python3.11-venv) and try again"; exit 1; }
	$(BIN)/pip install -q --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

models: setup
	@$(BIN)/encounter models pull

demo: setup
	@$(BIN)/encounter demo

# A software token for the tests of master keys in hardware; they are skipped, and say so, where it is missing.
softhsm:
	@test -e /usr/lib/softhsm/libsofthsm2.so || { test "$$(id -u)" = 0 && apt-get install -y -qq softhsm2 >/dev/null 2>&1; } \
	|| { test "$$(id -u)" = 0 && apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq softhsm2 >/dev/null 2>&1; } \
	|| echo "softhsm2 is not installed: tests of master keys in hardware are skipped"

# The browser of the desk's tests; the first of them says so where it is missing.
chromium:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && apt-get install -y -qq chromium >/dev/null 2>&1; } \
	|| { test "$$(id -u)" = 0 && apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq chromium >/dev/null 2>&1; } \
	|| echo "chromium is not installed: tests of the desk in a browser will fail; run  apt-get install chromium"

# In two processes: most tests on servers wait rather than compute. Which tests stay together: tests/conftest.py.
# What fails beside others is run once more alone: what passes then is told, and is a fault to be mended all the same.
test: setup models chromium
	@$(BIN)/python -m pytest -n 2 || { echo "run once more, alone:"; $(BIN)/python -m pytest --last-failed --last-failed-no-failures none -rfEp; }

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

check: lint types imports

guards: setup models
	$(BIN)/python tests/nevers/remove_guards.py

docs: setup
	$(BIN)/python -m docs.write_tables

# The desk's texts: what the code and the templates say into the catalogue of each other language, to be translated by hand.
texts: setup
	@mkdir -p build
	$(BIN)/pybabel -q extract -F flows/desk/texts/babel.cfg -k mark -k text --no-location --project=encounter -o build/desk.pot flows/desk tasks/review tasks/artefacts/report
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete -l ko -i build/desk.pot -o flows/desk/texts/ko.po

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --group dev --extra pkcs11 pyproject.toml --custom-compile-command "make lock" -o requirements.lock

clean:
	rm -rf $(VENV) .encounter out
