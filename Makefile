# Every command of this project. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
CHECKOV := .local/checkov
CODE := dags lambdas glue export_cli local
AIRFLOW ?=
FAIL ?=
RESTORE ?=
VERSIONS ?= 2.9.2,2.10.3,2.11.0,3.0.6,3.2.1,3.3.1
SPARKS ?= 3.5.6,4.1.1

export SAM_CLI_TELEMETRY := 0
# A run starts more than a thousand Pythons. Where this is set, each of them compiles all that it imports once more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo up down test unit lint lint-code lint-security lint-template lint-tests sizes evidence faults release deploy-local iam test-on-aws test-versions mutants bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  AIRFLOW=2.10.3 chooses the Airflow of demo and up; FAIL=<group> makes a group fail once in demo;"
	@echo "  RESTORE=1 restores what demo has exported, and starts a second Airflow over it."

demo: .venv/ready ## export a real Airflow's metadata through the whole pipeline on this machine
	@$(BIN)/python -m local demo $(if $(AIRFLOW),--airflow $(AIRFLOW)) $(if $(FAIL),--fail $(FAIL)) $(if $(RESTORE),--restore)

up: .venv/ready ## start the same stack and keep it running
	@$(BIN)/python -m local up $(if $(AIRFLOW),--airflow $(AIRFLOW))

down: .venv/ready ## stop what `make up` started
	@$(BIN)/python -m local down

test: lint ## everything: lint, types, unit, state machine, integration, end to end
	$(BIN)/python -m pytest -n 3 --no-loadscope-reorder -m "(representative or not fault) and not iam" tests

unit: .venv/ready ## the tests that need no server
	$(BIN)/python -m pytest -n 2 tests/unit

lint: .venv/ready $(CHECKOV)/ready ## style, types, template and flow
	@$(MAKE) --no-print-directory --jobs 2 --output-sync lint-code lint-security lint-template lint-tests

lint-code:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@PYTHONPATH=lambdas:lambdas/shared:glue $(BIN)/lint-imports --no-logo --no-cache

sizes: .venv/ready ## show the longest modules and functions (more than 25 lines of code): to look at, no number is a rule
	@git ls-files '*.py' | xargs wc -l | sort -rn | sed -n 2,21p
	@$(BIN)/lizard --languages python --warnings_only --ignore_warnings -1 --Threshold nloc=25 --sort nloc $(CODE)

evidence: .venv/ready ## print what is relied on of AWS and how it is known, and renew what the README says is assumed
	@$(BIN)/python -m local.evidence

lint-template: # `sam validate --lint` runs the very same cfn-lint and nothing else
	$(BIN)/cfn-lint template.yaml

lint-security:
	$(CHECKOV)/bin/checkov --file template.yaml --framework cloudformation --compact --quiet --skip-download

lint-tests: # what collects first compiles, and the processes of pytest would all do so at the same time
	@found=$$($(BIN)/python -m pytest --collect-only -qqq tests) || { echo "$$found"; exit 1; }

release: .venv/ready ## build what deploys without make, pip or Python: .local/release/mwaa-metadata-export-<version>.zip
	@$(BIN)/python -m local.release

deploy-local: .venv/ready ## deploy the release, change every parameter, fail, roll back and delete on the emulated AWS (PARAMETERS="FreshHours" for some)
	@$(BIN)/python -m local.rehearsal $(PARAMETERS)

faults: .venv/ready ## inject every fault into the running stack and print the matrix (FAULTS="-k corrupted" for some)
	@$(BIN)/python -m local.fault_matrix $(FAULTS)

iam: .venv/ready ## remove each statement and action of each policy, and see that a path fails without it
	$(BIN)/python -m pytest tests/iam

test-on-aws: .venv/ready ## what the emulated AWS is believed to do, asked of the account that the environment names (costs cents)
	TEST_TARGET=AWS_CLOUD $(BIN)/python -m pytest -m on_aws tests/integration/aws tests/integration/object_stores

test-versions: .venv/ready ## the export end to end in every Airflow version (VERSIONS=...), its files in every Spark (SPARKS=...)
	AIRFLOW_VERSIONS=$(VERSIONS) SPARK_VERSIONS=$(SPARKS) $(BIN)/python -m pytest -n 2 tests/end_to_end tests/integration/airflow \
	  tests/integration/completeness tests/integration/readers

mutants: .venv/ready ## make mistakes in the modules that matter most, and see that a test notices each (MODULES=parts for some)
	@$(BIN)/python -m local.mutants $(MODULES)

bench: .venv/ready ## measure the engine against pg_dump, Spark and the original's way (BENCH=--rows=200000 for less)
	$(BIN)/python -m local.bench $(BENCH)

lock: .venv/ready ## renew requirements.lock from requirements.in, and those of checkov and of npm
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal requirements.in -o requirements.lock
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal requirements-checkov.in -o requirements-checkov.lock
	$(BIN)/python -c 'from pathlib import Path; from local.node.packages import renew_lock; [renew_lock(Path(each)) for each in ("local/node", "docs/examples/cdk")]'

clean: ## remove what the commands made (environments, caches, local stack)
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local down; fi
	rm -rf .venv .local .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The environment: uv first (its own entry of the lock), then the lock, nothing else.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python >= 3.11 is needed, but $(PYTHON) is {v.major}.{v.minor}. Say which: make PYTHON=python3.12 ...")'
	@echo "Preparing the environment .venv (about a minute the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# checkov pins other versions of what the environment has, so it gets one of its own.
$(CHECKOV)/ready: requirements-checkov.lock | .venv/ready
	@echo "Preparing the environment of checkov ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(CHECKOV)
	@$(BIN)/uv pip sync --quiet --python $(CHECKOV)/bin/python --require-hashes requirements-checkov.lock
	@touch $@
