# The two commands of the README, `make bench` and `make test`, and what keeps the code tidy.
# Each makes .venv when it is missing; PYTHON=... chooses what it is made with.

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$name && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: bench test test-devices test-faults test-gpu lint quiet clean

bench: .venv/installed
	$(BIN)/shufflenet-tvm bench shufflenet-1.0x-g3 mobilenet-1.0 --threads 1,2 --peers onnxruntime

# What checks numbers runs on all cores, minutes and seconds side by side: a core that has done its
# own takes on others'. What starts processes of its own, a file at a time on each core; what times,
# alone.
PROCESSES := tests/arm tests/cli tests/tuning
ALONE := tests/measure tests/page
# Says where their time goes.
SLOWEST := --durations 10 --durations-min 10

test: .venv/installed
	$(BIN)/python -m pytest $(PYTEST_FLAGS) $(SLOWEST) -n auto --dist worksteal $(filter-out $(PROCESSES) $(ALONE) tests/faults tests/gpu,$(patsubst %/__init__.py,%,$(wildcard tests/*/__init__.py)))
	$(BIN)/python -m pytest $(PYTEST_FLAGS) $(SLOWEST) -n auto --dist loadfile $(PROCESSES)
	$(BIN)/python -m pytest $(PYTEST_FLAGS) $(SLOWEST) $(ALONE)

# Whole networks in both arithmetics on emulated ARM devices, one for each core here.
test-devices: .venv/installed
	$(BIN)/python -m pytest $(PYTEST_FLAGS) $(SLOWEST) -rP -n auto --dist worksteal --require-device -m "long or not long" tests/arm

# The long form of what `test` has of tuning: many deaths, many damaged files.
test-faults: .venv/installed
	DAMAGED_FILES=1000 $(BIN)/python -m pytest $(PYTEST_FLAGS) -n auto --dist loadfile --durations 5 tests/faults tests/tuning

# Beside an NVIDIA GPU: every test that needs one, and both networks next to whatever other engines
# are installed. Reports go to gpu-tests.xml and gpu-results.json.
test-gpu: .venv/installed
	$(BIN)/python -m pytest -m gpu tests/gpu --junitxml=gpu-tests.xml
	$(BIN)/shufflenet-tvm bench shufflenet-1.0x-g3 mobilenet-1.0 --target cuda --json gpu-results.json

lint: .venv/linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# How far the measurements can be trusted; needs a machine on which nothing else runs.
quiet: .venv/installed
	$(BIN)/python -m tests.measure.quiet_machine

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# pytorchcv is an independent implementation that tests compare with; its dependencies are not used.
.venv/installed: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[test]'
	$(PIP) --no-deps pytorchcv==0.0.74
	touch $@

.venv/linters: .venv/installed
	$(PIP) -e '.[check]'
	touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or later; install one, or name it:" \
		"make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error:" \
		"$(PYTHON) is not Python 3.11 or later; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: $(PYTHON) cannot make" \
		"environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
