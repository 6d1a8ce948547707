# What people, hooks and CI all call. `make help` lists it.

PYTHON ?= python3.11
DATA ?= datasets/simulated_shop.toml
UI_PORT ?= 5000
DASHBOARD_PORT ?= 8000
ARGS ?=

VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
LOCKS := requirements/main.txt requirements/dev.txt
COMPILE := $(VENV)/bin/uv pip compile --quiet --no-header --no-annotate --python-version 3.11
UV_PIN := $(shell sed -n 's/^uv==/uv==/p' requirements/dev.txt)

# Nothing here phones home.
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := True
export HF_HUB_DISABLE_TELEMETRY := 1
export HF_HUB_OFFLINE := 1

# Where the real data sets lie; the tests that need them skip where there are none.
ifeq ($(origin TIERWISE_DATA),undefined)
ifneq ($(wildcard ../shared/data/.),)
export TIERWISE_DATA := $(abspath ../shared/data)
endif
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-torch sentiment-base demo drill serve ui dashboard check format test test-slow harden lock clean-state

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## install the pinned environment into .venv; at once when nothing changed

# uv does it in seconds; where it cannot reach the index that pip is set up for, pip does it.
$(STAMP): $(LOCKS)
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
		{ echo 'error: "$(PYTHON)" is not a Python 3.11 with venv' >&2; \
		  echo '  do: install python3.11 and python3.11-venv, or give PYTHON=/path/to/python3.11' >&2; \
		  exit 78; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@echo 'installing the pinned packages into $(VENV) (a few minutes the first time)'
	@$(RUN) -m pip install --quiet --disable-pip-version-check '$(UV_PIN)'
	@UV_SYSTEM_CERTS=true $(VENV)/bin/uv pip install --quiet --python $(RUN) --no-deps \
			-r requirements/dev.txt || \
		{ echo 'uv could not; trying pip' >&2; \
		  $(RUN) -m pip install --disable-pip-version-check --no-deps -r requirements/dev.txt; }
	@$(VENV)/bin/uv pip check --quiet --python $(RUN)
	@touch $@

setup-torch: setup ## add torch, which only the sentiment models need
	$(RUN) -m pip install --disable-pip-version-check -c requirements/main.txt -r requirements/torch.txt

# The package onnx is only needed here: what it writes, onnxruntime reads without it.
sentiment-base: setup ## fetch, convert and export the model that reviews are scored with (once)
	@$(VENV)/bin/python -c 'import onnx' 2>/dev/null || \
		$(RUN) -m pip install --quiet --disable-pip-version-check -c requirements/main.txt \
			-r requirements/onnx.txt
	@$(RUN) -m training sentiment-base $(ARGS)

demo: setup ## the whole way once, from raw data to an answer over HTTP (DATA=datasets/NAME.toml)
	@$(MAKE) --no-print-directory sentiment-base ARGS= || \
		echo 'note: no sentiment model; the demo goes on without what customers wrote' >&2
	@$(RUN) demo.py --source $(DATA) $(ARGS)

drill: setup ## a year in which everything planned goes wrong, played through the real parts (8 minutes)
	@$(RUN) drill.py $(ARGS)

serve: setup ## serve the champion until Ctrl-C
	@exec $(RUN) -m serving $(ARGS)

ui: setup ## open MLflow on loopback until Ctrl-C (UI_PORT=5000)
	@test -f state/mlflow.db || \
		{ echo 'error: no state/mlflow.db; expected the record of a training run' >&2; \
		  echo '  do: run make demo first' >&2; exit 2; }
# In the background of a shell Ctrl-C is ignored, so it is the trap that ends it: without tracebacks.
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(VENV)/bin/mlflow ui --host 127.0.0.1 \
			--port $(UI_PORT) --workers 1 --backend-store-uri sqlite:///state/mlflow.db & \
		pid=$$!; trap 'kill -TERM $$pid 2>/dev/null' INT TERM; wait $$pid || wait $$pid

dashboard: setup ## draw what monitoring decided and serve it on loopback until Ctrl-C (DASHBOARD_PORT=8000)
	@$(RUN) -m monitoring dashboard --source $(DATA)
	@exec $(VENV)/bin/evidently ui --workspace state/monitoring/workspace --host 127.0.0.1 \
			--port $(DASHBOARD_PORT)

check: setup ## ruff, mypy and the direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: setup ## mend what ruff can mend
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test: setup ## every test but the slow ones (ARGS="tests/features -k window")
	$(RUN) -m pytest -n 2 --dist loadfile $(ARGS)

# The service is loaded and timed by its tests, so they have the machine for themselves.
test-slow: setup ## the tests that play whole parts through
ifeq ($(ARGS),)
	$(RUN) -m pytest -m slow -n 2 --dist loadfile --ignore=tests/serving
	$(RUN) -m pytest -m slow tests/serving
else
	$(RUN) -m pytest -m slow $(ARGS)
endif

harden: setup ## bad input, mutants, and the service under attack, in full (long)
	$(RUN) -m pytest -m harden -n 2 $(ARGS)
	TIERWISE_HARDEN=full $(RUN) -m pytest -m slow tests/hardening/test_disk.py tests/acts/test_kill_points.py
	TIERWISE_HARDEN=full $(RUN) -m pytest -m slow tests/serving/test_harden.py tests/serving/test_schema.py

bench-%: setup ## make the figures of benchmarks/NAME.py: state/bench/NAME.json
	$(RUN) -m benchmarks.$(subst -,_,$*) $(ARGS)

lock: setup ## resolve requirements/ again from pyproject.toml, keeping pins that still fit
	@UV_SYSTEM_CERTS=true $(COMPILE) pyproject.toml -o requirements/main.txt
	@grep -v '^-r' requirements/dev.txt > requirements/all.txt
	@UV_SYSTEM_CERTS=true $(COMPILE) requirements/main.txt --group pyproject.toml:dev \
		-o requirements/all.txt
	@{ echo '-r main.txt'; grep -vxFf requirements/main.txt requirements/all.txt; } \
		> requirements/dev.txt
	@rm requirements/all.txt

clean-state: ## remove everything made at run time: tables, releases, MLflow's record, reports
	rm -rf state
