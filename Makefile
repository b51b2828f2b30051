# Everything a person or CI runs. Each target does its own set-up; `make help` lists them.

PYTHON ?= python3.11
PYTEST_ARGS ?=
JOBS ?= 2
# Processes that share the tests of one run; 0 runs them all in pytest's own process. Tests that share an Airflow or a
# file stay together, in the order of tests/conftest.py.
WORKERS ?= 2
XDIST = --numprocesses=$(WORKERS) --dist=loadscope --no-loadscope-reorder

# The newest is the one that `make check`, `make test`, `make demo` and `make standalone` use, in .venv; the others have .venv-<version>.
VERSIONS := 3.3 3.1 2.11
NEWEST := 3.3
OLDER := $(filter-out $(NEWEST),$(VERSIONS))
# Versions that `make matrix` leaves out because an earlier command has just tested them.
TESTED ?=
# What `make soak` does: kills per send, which sends (default all), the seed of everything random, and the crash points
# of simulated processes.
SOAK_KILLS ?= 50
SOAK_SENDS ?=
SOAK_SEED ?=
SOAK_CRASH_POINTS ?= 10000
SCREENSHOTS ?= build/browser
UNTESTED := $(filter-out $(TESTED),$(VERSIONS))

# What `make constraints` resolves: the release, and the last day whose packages count. 3.1 does not start with packages
# much younger than itself, so only common-compat, of which we need 1.23, may be.
RELEASE-3.3 := 3.3.2
RELEASE-3.1 := 3.1.8
RELEASE-2.11 := 2.11.2
UNTIL := 2026-11-21
UNTIL-3.3 := $(UNTIL)
UNTIL-3.1 := 2026-03-25
UNTIL-2.11 := $(UNTIL)
GROUPS-$(NEWEST) := --group browser

# Coverage counts on one Airflow only: no version takes every branch.
COVERAGE-$(NEWEST) := --cov --cov-report=term-missing:skip-covered

export AIRFLOW__CORE__LOAD_EXAMPLES := False
export AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS := False

venv = $(if $(filter $1,$(NEWEST)),.venv,.venv-$1)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.PHONY: help check format test matrix integration browser soak bench demo demo-live standalone constraints clean \
	$(VERSIONS:%=test-%) $(VERSIONS:%=matrix-%) $(VERSIONS:%=integration-%) $(VERSIONS:%=soak-%)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'make test-X       The tests on Airflow X alone, X one of: $(VERSIONS)'
	@echo 'Variables: PYTHON ($(PYTHON)), PYTEST_ARGS, SECTIONS, JOBS ($(JOBS): versions at a time in make matrix and soak),'
	@echo '           WORKERS ($(WORKERS): processes that share the tests of one run, 0 for none),'
	@echo '           VERSIONS, SOAK_KILLS ($(SOAK_KILLS)), SOAK_SENDS (for example: xebo exotel), SOAK_SEED,'
	@echo '           SOAK_CRASH_POINTS ($(SOAK_CRASH_POINTS)),'
	@echo '           SCREENSHOTS ($(SCREENSHOTS): where make browser leaves them; docs/images for the docs)'

check: .venv/.installed ## Lint, formatting, types, and who may import whom
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

format: .venv/.installed ## Mend what ruff can mend
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

test: test-$(NEWEST) ## The tests on the newest Airflow, with branch coverage

# Each run has an AIRFLOW_HOME of its own, gone afterwards; tests/migrated.py copies the database that was migrated once.
$(VERSIONS:%=test-%): test-%: $$(call venv,$$*)/home/airflow.db
	@home=$$(mktemp -d -t airflow-test.XXXXXX) && trap 'rm -rf "$$home"' EXIT && \
	AIRFLOW_HOME="$$home" MIGRATED_DATABASE="$(abspath $<)" $(call venv,$*)/bin/python -m pytest $(XDIST) $(COVERAGE-$*) $(PYTEST_ARGS)

matrix: ## The same tests on every Airflow, with a summary
	@rm -rf build/matrix && mkdir -p build/matrix
	@$(MAKE) --jobs=$(JOBS) $(UNTESTED:%=matrix-%)
	@cd build/matrix && for version in $(UNTESTED); do test -e $$version.passed || tail -n 60 $$version.log; done
	@echo; $(if $(TESTED),echo 'Airflow $(TESTED): tested by an earlier command';) \
	cd build/matrix; failed=0; for version in $(UNTESTED); do \
		test -e $$version.passed && result=passed || { result=FAILED; failed=1; }; \
		printf 'Airflow %-5s %s  %s\n' $$version $$result "$$(grep -E '(passed|failed|errors?).* in [0-9.]+s' $$version.log | tail -n 1)"; \
	done; exit $$failed

$(VERSIONS:%=matrix-%): matrix-%:
	@echo 'Airflow $*: testing, log in build/matrix/$*.log'
	@! $(MAKE) test-$* COVERAGE-$*= >build/matrix/$*.log 2>&1 || touch build/matrix/$*.passed

integration: $(VERSIONS:%=integration-%) ## Contacts from a real PostgreSQL, on every Airflow; as root it installs PostgreSQL (Debian)

# The server is started by the tests, in a folder of its own.
$(VERSIONS:%=integration-%): integration-%: $$(call venv,$$*)/home/airflow.db
	@scripts/postgresql.sh
	@echo 'Airflow $*'
	@$(MAKE) test-$* COVERAGE-$*= PYTEST_ARGS='tests/postgres $(PYTEST_ARGS)'

# Where the tests leave what the browser showed: docs/images renews the pictures of the docs.
browser: .venv/.browser ## The UI in a real browser, against the sandbox; as root it installs Chromium (Debian)
	@scripts/chromium.sh
	@home=$$(mktemp -d -t airflow-browser.XXXXXX) && trap 'rm -rf "$$home"' EXIT && \
	AIRFLOW_HOME="$$home" SCREENSHOTS=$(SCREENSHOTS) .venv/bin/python -m pytest tests/browser --timeout=600 $(PYTEST_ARGS)

bench: .venv/.installed ## Measure, against other ways of doing the same; writes benchmarks/results.md (SECTIONS: only these, writes nothing)
	PYTHONPATH=scripts .venv/bin/python -m benchmarks $(SECTIONS)

soak: ## Kill tasks of a real scheduler, again and again, on every Airflow, and count who was contacted (hours)
	@$(MAKE) --jobs=$(JOBS) --keep-going $(VERSIONS:%=soak-%)

$(VERSIONS:%=soak-%): soak-%: $$(call venv,$$*)/home/airflow.db
	@CRASH_POINTS=$(SOAK_CRASH_POINTS) $(MAKE) test-$* COVERAGE-$*= PYTEST_ARGS='-k test_random_crashes'
	@home=$$(mktemp -d -t airflow-soak.XXXXXX) && trap 'rm -rf "$$home"' EXIT && \
	AIRFLOW_HOME="$$home" PYTHONPATH=scripts $(call venv,$*)/bin/python -m tests.integration.soak \
		--kills $(SOAK_KILLS) $(SOAK_SEED:%=--seed %) $(SOAK_SENDS)

demo: .venv/.installed ## Run the examples against the sandbox, once, and show what became of each contact
	.venv/bin/python scripts/demo.py

demo-live: .venv/.installed ## Run the examples that wait for a person or an event, in a whole Airflow, and answer them
	.venv/bin/python scripts/demo_live.py

standalone: .airflow-standalone/airflow.db ## Airflow's UI with the examples, their connections, and the sandbox running
	AIRFLOW_HOME=$(CURDIR)/.airflow-standalone PATH="$(CURDIR)/.venv/bin:$$PATH" scripts/standalone.sh

constraints: .venv/.installed ## Resolve constraints/*.txt anew (needs a package index)
	$(foreach version,$(VERSIONS),$(call resolve,$(version)))

define resolve
echo apache-airflow==$(RELEASE-$1) | .venv/bin/uv pip compile --quiet --upgrade --python-version 3.11 --no-header --no-annotate \
	--exclude-newer $(UNTIL-$1) --exclude-newer-package apache-airflow-providers-common-compat=$(UNTIL) \
	--all-extras --group dev $(GROUPS-$1) --output-file constraints/airflow-$1.txt pyproject.toml - >/dev/null

endef

clean: ## Remove everything that these targets made
	rm -rf .venv .venv-* .airflow-* .coverage .coverage.* dist build htmlcov .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip fetches uv, and uv the rest, in a fraction of pip's time. A second run takes away what is no longer wanted.
define install
test -x $(@D)/bin/uv || { $(PYTHON) -m venv --clear $(@D) && $(@D)/bin/pip install --quiet --constraint $< uv; }
$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python --exact --constraint $< --build-constraint $< \
	--editable '.[sandbox,parquet]' --group dev
touch $@
endef

.venv/.installed: constraints/airflow-$(NEWEST).txt pyproject.toml
	$(install)

.venv/.browser: constraints/airflow-$(NEWEST).txt .venv/.installed
	.venv/bin/uv pip install --quiet --python .venv/bin/python --constraint $< --group browser
	touch $@

$(OLDER:%=.venv-%/.installed): .venv-%/.installed: constraints/airflow-%.txt pyproject.toml
	$(install)

define migrate
@mkdir -p $(@D)
@AIRFLOW_HOME=$(CURDIR)/$(@D) $(<D)/bin/airflow db migrate >$(@D)/migrate.log 2>&1 || { cat $(@D)/migrate.log; false; }
@touch $@
endef

.venv/home/airflow.db .airflow-standalone/airflow.db: .venv/.installed
	$(migrate)

$(OLDER:%=.venv-%/home/airflow.db): .venv-%/home/airflow.db: .venv-%/.installed
	$(migrate)
