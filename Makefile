# cityforge: `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The release of torch that the constraints pin.
TORCH_VERSION := 2.13.0
# Point these to a CPU build of torch: an index (TORCH_INDEX=https://...) or a folder of wheels (TORCH_WHEELS=/path).
TORCH_INDEX ?=
TORCH_WHEELS ?= $(PIP_FIND_LINKS)
UV_SOURCES := $(if $(TORCH_INDEX),--index $(TORCH_INDEX) --index-strategy unsafe-best-match) $(if $(TORCH_WHEELS),--find-links $(TORCH_WHEELS))
ROOMS := contracts store models gpu knowledge_graph early_warning registry training serving operations cityforge
CHECKED := $(ROOMS) benchmarks tests

export PYTHONPATH :=
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := true
export YOLO_OFFLINE := true
export YOLO_AUTOINSTALL := false

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(STAMP) ## Create .venv and install everything (says first how much it downloads)

$(STAMP): pyproject.toml constraints.txt overrides.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cityforge needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make setup PYTHON=python3.11"; exit 1; }
	@echo "Set-up downloads about 0.8 GB with a CPU build of torch, about 4 GB with the CUDA build that PyPI gives by default on Linux."
	@echo "For the CPU build: make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu (or TORCH_WHEELS=/folder/of/wheels)."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv==$(shell sed -n 's/^uv==//p' constraints.txt | head -1)'
	$(BIN)/uv pip install --python $(BIN)/python $(UV_SOURCES) --constraint constraints.txt --override overrides.txt --editable '.[dev]'
	@touch $@

.PHONY: system
system: ## Install the system packages that tests need (asks first; apt only)
	@.ci/system

.PHONY: demo
demo: setup ## The main job: train, prove, serve, replay, warn (no service to start)
	$(BIN)/cityforge demo

.PHONY: test
test: setup system ## The tests, without the slow ones
	$(BIN)/python -m pytest -m "not slow and not gpu" -q

.PHONY: test-all
test-all: setup system judges ## All tests that this machine can run
	$(BIN)/python -m pytest -m "not gpu" -q

.PHONY: lint
lint: setup ## Style: ruff check and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: setup ## mypy, strict
	$(BIN)/mypy $(ROOMS)

.PHONY: imports
imports: setup ## The layers of the rooms
	$(BIN)/lint-imports

.PHONY: docs
docs: setup ## Check the documentation against the code and build the API pages into build/docs
	$(BIN)/python -m pytest tests/docs -q
	$(BIN)/pdoc --output-directory build/docs $(ROOMS)

.PHONY: bench
bench: setup ## The main job's figures, as one JSON object in the last line
	$(BIN)/python -m benchmarks.demo --json

.PHONY: peers-knowledge
peers-knowledge: setup ## An environment with the peers of `python -m benchmarks.knowledge`
	@test -x .venv-peers-knowledge/bin/python || $(PYTHON) -m venv .venv-peers-knowledge
	$(BIN)/uv pip install --python .venv-peers-knowledge/bin/python 'pyagrum>=2' clipspy zen-engine numpy
	$(BIN)/uv pip install --python .venv-peers-knowledge/bin/python --no-deps pgmpy==1.1.2

.PHONY: peers-forecasting
peers-forecasting: setup ## An environment with the peers of `python -m benchmarks.forecasting`
	@test -x .venv-peers-forecasting/bin/python || $(PYTHON) -m venv .venv-peers-forecasting
	$(BIN)/uv pip install --python .venv-peers-forecasting/bin/python $(UV_SOURCES) 'torch==$(TORCH_VERSION)' neuralforecast statsforecast 'darts[torch]' numpy pandas

.PHONY: protos
protos: setup ## Compile the .proto files of the gRPC front
	cd serving/protocol && $(abspath $(BIN))/python -m grpc_tools.protoc --proto_path . --descriptor_set_out open_inference.binpb \
		open_inference.proto health.proto

.PHONY: peers-serving
peers-serving: setup ## Environments with the peers of `python -m benchmarks.serving`, and the load generator wrk
	@.ci/system wrk
	@for name in serving mlserver; do test -x .venv-peers-$$name/bin/python || $(PYTHON) -m venv .venv-peers-$$name; done
	$(BIN)/uv pip install --python .venv-peers-serving/bin/python 'bentoml>=1.4.39,<1.5' 'litserve>=0.2' 'ray[serve]>=2.50' \
		'mlflow>=3.17' onnx onnxruntime uvicorn uvloop httptools orjson
	$(BIN)/uv pip install --python .venv-peers-mlserver/bin/python 'mlserver>=1.7' onnxruntime

.PHONY: judges
judges: setup ## An environment with programs of others that the slow tests let judge: KServe's clients, perf-analyzer
	@test -x .venv-judges/bin/python || $(PYTHON) -m venv .venv-judges
	$(BIN)/uv pip install --quiet --python .venv-judges/bin/python 'kserve>=0.21,<0.22'
	@$(BIN)/uv pip install --quiet --python .venv-judges/bin/python 'perf-analyzer>=2.60' 2>/dev/null || \
		echo "perf-analyzer needs glibc 2.38 (Debian 13, Ubuntu 24.04): its test is skipped here."

.PHONY: serve
serve: setup ## Serve the champions and run the warning runtime
	$(BIN)/cityforge serve

.PHONY: constraints
constraints: ## Regenerate constraints.txt from pyproject.toml; pins stay as they are unless UPGRADE=1
	$(BIN)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 --all-extras --override overrides.txt \
		--no-annotate --custom-compile-command 'make constraints' --constraint <(echo 'torch==$(TORCH_VERSION)') \
		--output-file constraints.txt pyproject.toml

.PHONY: clean
clean: ## Remove what can be made again (not .cityforge, which holds your state)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
