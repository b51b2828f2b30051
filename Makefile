# Everything a person or CI runs. Each target does its own set-up; `make help` lists them.

PYTHON ?= python3.11
PYTEST_ARGS ?=
JOBS ?= 2
# Processes that share the tests of one run; 0 runs them all in pytest's own process. Tests that share an Airflow or a
# file stay together, in the order of tests/conftest.py. Some of them wait, so that two cores are busy with three.
WORKERS ?= 3
XDIST = --numprocesses=$(WORKERS) --dist=loadscope --no-loadscope-reorder

# The newest is the one that `make check`, `make test`, `make demo` and `make standalone` use, in .venv; the others have .venv-<version>.
VERSIONS := 3.3 3.2 3.1 2.11
NEWEST := 3.3
OLDER := $(filter-out $(NEWEST),$(VERSIONS))
# What `make matrix` leaves out on a version.
LEFT_OUT-3.2 := and not as_on_3_1
# Versions that `make matrix` leaves out because an earlier command has just tested them.
TESTED ?=
# What `make soak` does: kills per send, which sends (default all), the seed of everything random, and the crash points
# of simulated processes.
SOAK_KILLS ?= 50
SOAK_SENDS ?=
# Rows of `make cluster-soak`: those whose names have this in them; default all.
ROWS ?=
SOAK_SEED ?=
SOAK_CRASH_POINTS ?= 10000
SCREENSHOTS ?= build/browser
BROWSERS = $(NEWEST) $(OLDEST_WITH_PAGE)
UNTESTED := $(filter-out $(TESTED),$(VERSIONS))

# What `make constraints` and `make resolution` resolve: a release, and its own day, the last one whose packages count.
# They are what Airflow's own constraints and images hold, so every lower bound in pyproject.toml has to be met by them.
RELEASE-3.3 := 3.3.2
RELEASE-3.2 := 3.2.2
RELEASE-3.1 := 3.1.8
RELEASE-2.11 := 2.11.2
DAY-3.3 := 2026-09-17
DAY-3.2 := 2026-05-29
DAY-3.1 := 2026-03-11
DAY-2.11 := 2026-03-14
GROUPS-$(NEWEST) := --group browser --group docs --group cluster
# The oldest Airflow whose UI shows the campaign page.
OLDEST_WITH_PAGE := 3.1
GROUPS-$(OLDEST_WITH_PAGE) := --group browser
# Beyond a release's own day: the lowest versions that pyproject.toml allows, and the newest packages, on the newest
# Python. A pre-release of Airflow is tested with whatever is there on the day.
EXTREMES := lowest highest
RELEASE-highest := $(RELEASE-$(NEWEST))
DAY-lowest := $(DAY-2.11)
DAY-highest := 2026-11-21
PRERELEASE ?= 3.4.0b2
RECIPES_ON := $(NEWEST) 2.11
# Where pyenv keeps several Pythons, `python3.13` alone may not run.
PYTHON-highest ?= $(shell python3.13 -c 'import sys; print(sys.executable)' 2>/dev/null \
	|| PYENV_VERSION=3.13 pyenv which python3.13 2>/dev/null || echo python3.13)
# The tests that these run: those of make test-quick.
UNIT_TESTS := -m 'not slow'

# Coverage counts on one Airflow only: no version takes every branch.
COVERAGE-$(NEWEST) := --cov --cov-report=term-missing:skip-covered

# Says how long a command took.
timed = $(CURDIR)/scripts/timed.sh 'make $@'

TESTABLE := $(VERSIONS) $(EXTREMES) prerelease

# Each of many processes imports Airflow, and each test's asserts are rewritten: both are kept as bytecode, also where the
# environment says that none is to be written.
export PYTHONDONTWRITEBYTECODE :=
export AIRFLOW__CORE__LOAD_EXAMPLES := False
export AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS := False

venv = $(if $(filter $1,$(NEWEST)),.venv,.venv-$1)
constraints = constraints/$(if $(filter $1,$(EXTREMES)),$1,airflow-$1).txt

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.PHONY: help check format test test-quick matrix integration browser soak cluster cluster-soak bench docs demo demo-live standalone constraints clean \
	resolution recipes wheel lowest highest prerelease newest-packages $(TESTABLE:%=test-%) $(VERSIONS:%=resolution-%) \
	$(RECIPES_ON:%=recipes-%) $(BROWSERS:%=browser-%) $(VERSIONS:%=matrix-%) $(VERSIONS:%=demo-%) $(VERSIONS:%=integration-%) \
	$(VERSIONS:%=soak-%)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'make test-X       The tests on Airflow X alone, X one of: $(VERSIONS)'
	@echo 'Variables: PYTHON ($(PYTHON)), PYTEST_ARGS, SECTIONS, JOBS ($(JOBS): versions at a time in make matrix and soak),'
	@echo '           WORKERS ($(WORKERS): processes that share the tests of one run, 0 for none),'
	@echo '           VERSIONS, SOAK_KILLS ($(SOAK_KILLS)), SOAK_SENDS (for example: xebo exotel), SOAK_SEED,'
	@echo '           SOAK_CRASH_POINTS ($(SOAK_CRASH_POINTS)),'
	@echo '           SCREENSHOTS ($(SCREENSHOTS): where make browser stores them; docs/images for the docs)'

check: .venv/.installed ## Lint, formatting, types, and who may import whom
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

format: .venv/.installed ## Fix what ruff can fix
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

test: ## The tests on the newest Airflow, with branch coverage
	@$(timed) $(MAKE) test-$(NEWEST)

test-quick: ## Those that start no process and do not wait, on the newest Airflow
	@$(timed) $(MAKE) test-$(NEWEST) COVERAGE-$(NEWEST)= PYTEST_ARGS="$(UNIT_TESTS) $(PYTEST_ARGS)"

# Files of the tests are in memory where there is plenty of it: they take a few hundred MB. Database servers that run as
# users of their own pass through the folder.
MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk '$$6 == "/dev/shm" && $$4 > 8000000 { print $$6 }')

# Each run has folders of its own, gone afterwards; tests/migrated.py copies the database that was migrated once.
$(TESTABLE:%=test-%): test-%: $$(call venv,$$*)/home/airflow.db
	@export TMPDIR=$$(mktemp -d $(or $(MEMORY),$${TMPDIR:-/tmp})/airflow-test.XXXXXX) && trap 'rm -rf "$$TMPDIR"' EXIT && \
	chmod 711 "$$TMPDIR" && mkdir -m 700 "$$TMPDIR/home" && AIRFLOW_HOME="$$TMPDIR/home" MIGRATED_DATABASE="$(abspath $<)" \
	$(call venv,$*)/bin/python -m pytest $(XDIST) $(COVERAGE-$*) $(PYTEST_ARGS)

# 3.2, with fewer tests, last.
IN_ORDER = $(filter-out 3.2,$(UNTESTED)) $(filter 3.2,$(UNTESTED))

matrix: ## On every Airflow the examples and the tests of what touches Airflow, with a summary
	@rm -rf build/matrix && mkdir -p build/matrix
	@$(timed) $(MAKE) --jobs=$(JOBS) $(IN_ORDER:%=matrix-%)
	@cd build/matrix && for version in $(UNTESTED); do test -e $$version.passed || tail -n 60 $$version.log; done
	@echo; $(if $(TESTED),echo 'Airflow $(TESTED): tested by an earlier command';) \
	cd build/matrix; failed=0; for version in $(UNTESTED); do \
		test -e $$version.passed && result=passed || { result=FAILED; failed=1; }; \
		printf 'Airflow %-5s %s  %s\n' $$version $$result "$$(grep -E '(passed|failed|errors?).* in [0-9.]+s' $$version.log | tail -n 1)"; \
	done; exit $$failed

$(VERSIONS:%=matrix-%): matrix-%:
	@mkdir -p build/matrix && echo 'Airflow $*: testing, log in build/matrix/$*.log'
	@! { $(MAKE) demo-$* && $(MAKE) test-$* COVERAGE-$*= PYTEST_ARGS="-m 'not newest_airflow $(LEFT_OUT-$*)' $(PYTEST_ARGS)"; } \
		>build/matrix/$*.log 2>&1 || touch build/matrix/$*.passed

resolution: $(VERSIONS:%=resolution-%) ## That the wheel installs and works with the packages of each release's own day

# Airflow is installed first, as its images are made; then nothing of it may change.
$(VERSIONS:%=resolution-%): resolution-%: wheel
	@.venv/bin/uv venv --quiet --clear --python $(PYTHON) build/resolution/$*
	@install='.venv/bin/uv pip install --quiet --python build/resolution/$*/bin/python --exclude-newer $(DAY-$*)' && \
	$$install apache-airflow==$(RELEASE-$*) && \
	.venv/bin/uv pip freeze --quiet --python build/resolution/$*/bin/python >build/resolution/$*/airflow.txt && \
	$$install --constraint build/resolution/$*/airflow.txt "$$(echo build/dist/*.whl)[sandbox,parquet,excel]"
	@home=$$(mktemp -d -t airflow-smoke.XXXXXX) && trap 'rm -rf "$$home"' EXIT && \
	AIRFLOW_HOME="$$home" AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR build/resolution/$*/bin/python -I -W ignore scripts/smoke.py

# The wheel is tested where the package's folder is not: it would be imported in place of the wheel. A user installs the
# providers of the recipes' other connections, and pandas, beside it.
recipes: $(RECIPES_ON:%=recipes-%) ## The DAGs of docs/recipes.md, with the wheel as a user installs it

$(RECIPES_ON:%=recipes-%): recipes-%: resolution-% $$(call venv,$$*)/home/airflow.db
	@.venv/bin/uv pip install --quiet --python build/resolution/$*/bin/python --exclude-newer $(DAY-$*) \
		--constraint build/resolution/$*/airflow.txt pandas apache-airflow-providers-http apache-airflow-providers-sqlite
	@.venv/bin/uv pip install --quiet --python build/resolution/$*/bin/python pytest pytest-timeout psutil
	@rm -rf build/recipes/$* && mkdir -p build/recipes/$* && cp -R docs scripts tests pyproject.toml build/recipes/$*
	@home=$$(mktemp -d -t airflow-recipes.XXXXXX) && trap 'rm -rf "$$home"' EXIT && python=$(CURDIR)/build/resolution/$*/bin/python && \
	database=$(abspath $(call venv,$*)/home/airflow.db) && cd build/recipes/$* && \
	$(timed) env AIRFLOW_HOME="$$home" MIGRATED_DATABASE="$$database" $$python -m pytest tests/recipes $(PYTEST_ARGS)

wheel: .venv/.installed
	@rm -rf build/dist && .venv/bin/python -m build --no-isolation --wheel --outdir build/dist >/dev/null

lowest: ## Unit tests with the lowest versions that pyproject.toml allows, on Airflow 2.11
	@$(timed) $(MAKE) test-lowest PYTEST_ARGS="$(UNIT_TESTS) $(PYTEST_ARGS)"

highest: ## Unit tests with the newest packages and the newest Python, on the newest Airflow
	@$(timed) $(MAKE) test-highest PYTEST_ARGS="$(UNIT_TESTS) $(PYTEST_ARGS)"

prerelease: ## Unit tests on the next Airflow's pre-release (PRERELEASE); may fail, and is no part of CI
	@$(MAKE) test-prerelease PYTEST_ARGS="$(UNIT_TESTS) $(PYTEST_ARGS)" && result=works || result='DOES NOT WORK YET'; \
	echo "Airflow $(PRERELEASE): $$result"; test "$$result" = works

integration: $(VERSIONS:%=integration-%) ## Contacts and history in a real PostgreSQL and MariaDB, and a million rows of packed files, on every Airflow; as root it installs them (Debian)

# The servers are started by the tests, in folders of their own.
$(VERSIONS:%=integration-%): integration-%: $$(call venv,$$*)/home/airflow.db
	@scripts/postgresql.sh
	@scripts/mariadb.sh
	@echo 'Airflow $*'
	@HISTORY_DATABASES=sqlite,postgresql,mariadb \
	$(MAKE) test-$* COVERAGE-$*= PYTEST_ARGS='tests/postgres tests/history $(PYTEST_ARGS)'
	@$(if $(filter $(NEWEST),$*),MANY_ROWS=1_000_000 $(MAKE) test-$* COVERAGE-$*= WORKERS=0 \
		PYTEST_ARGS='tests/delivery/plan/sources -k many_packed_rows',)

browser: browser-$(NEWEST) browser-$(OLDEST_WITH_PAGE) ## The UI in a real browser, against the sandbox; as root it installs Chromium (Debian)

# Where the tests store screenshots: docs/images replaces the images of the docs. On older versions only the campaign
# page is looked at, and its pictures are not for the docs.
BROWSER_TESTS-$(NEWEST) := tests/browser
$(BROWSERS:%=browser-%): browser-%: $$(call venv,$$*)/.browser
	@scripts/chromium.sh
	@home=$$(mktemp -d -t airflow-browser.XXXXXX) && trap 'rm -rf "$$home"' EXIT && \
	AIRFLOW_HOME="$$home" SCREENSHOTS=$(if $(filter $(NEWEST),$*),$(SCREENSHOTS),build/browser-$*) \
	$(call venv,$*)/bin/python -m pytest $(or $(BROWSER_TESTS-$*),tests/browser/test_campaign_page.py) --timeout=600 $(PYTEST_ARGS)

docs: .venv/.docs .venv/home/airflow.db ## Build the documentation site in build/docs; a warning, such as a broken link, fails it
	@home=$$(mktemp -d -t airflow-docs.XXXXXX) && trap 'rm -rf "$$home"' EXIT && cp .venv/home/airflow.db "$$home" && \
	AIRFLOW_HOME="$$home" AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR \
	.venv/bin/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs && echo build/docs/index.html

bench: .venv/.installed ## Measure, against other ways of doing the same; writes benchmarks/results.md (SECTIONS: only these, writes nothing)
	PYTHONPATH=scripts .venv/bin/python -m benchmarks $(SECTIONS)

soak: ## Kill tasks of a real scheduler, again and again, on every Airflow, and count who was contacted (hours)
	@$(MAKE) --jobs=$(JOBS) --keep-going $(VERSIONS:%=soak-%)

$(VERSIONS:%=soak-%): soak-%: $$(call venv,$$*)/home/airflow.db
	@CRASH_POINTS=$(SOAK_CRASH_POINTS) $(MAKE) test-$* COVERAGE-$*= PYTEST_ARGS='-k test_random_crashes'
	@home=$$(mktemp -d -t airflow-soak.XXXXXX) && trap 'rm -rf "$$home"' EXIT && \
	AIRFLOW_HOME="$$home" PYTHONPATH=scripts $(call venv,$*)/bin/python -m tests.integration.soak \
		--kills $(SOAK_KILLS) $(SOAK_SEED:%=--seed %) $(SOAK_SENDS)

cluster: .venv-cluster/.installed ## A cluster on this machine, until Ctrl-C: CeleryExecutor, PostgreSQL, Redis, S3; as root it installs what is missing (Debian)
	@$(call in_cluster_venv,tests.cluster)

cluster-soak: .venv-cluster/.installed ## Kill and stop parts of such a cluster while it sends (20 minutes); writes the table of docs/scale.md (ROWS: only these)
	@$(call in_cluster_venv,tests.cluster.soak '$(ROWS)')

define in_cluster_venv
scripts/postgresql.sh && scripts/redis.sh && home=$$(mktemp -d -t airflow-cluster.XXXXXX) && trap 'rm -rf "$$home"' EXIT && \
AIRFLOW_HOME="$$home" PYTHONPATH=scripts PATH="$(CURDIR)/.venv-cluster/bin:$$PATH" .venv-cluster/bin/python -m $1
endef

demo: demo-$(NEWEST) ## Run the examples against the sandbox, once, and show what became of each contact

$(VERSIONS:%=demo-%): demo-%: $$(call venv,$$*)/.installed
	@$(timed) $(call venv,$*)/bin/python scripts/demo.py --home .airflow-demo-$*

demo-live: .venv/.installed ## Run the examples that wait for a person or an event, in a whole Airflow, and answer them
	.venv/bin/python scripts/demo_live.py

standalone: .airflow-standalone/airflow.db ## Airflow's UI with the examples, their connections, and the sandbox running
	AIRFLOW_HOME=$(CURDIR)/.airflow-standalone PATH="$(CURDIR)/.venv/bin:$$PATH" scripts/standalone.sh

constraints: .venv/.installed ## Resolve constraints/*.txt again (needs a package index)
	@mkdir -p build
	echo '$(BESIDE_LOWEST)' | .venv/bin/uv pip compile --quiet --resolution lowest-direct --python-version 3.11 \
		--exclude-newer $(DAY-lowest) --all-extras --constraint - --output-file build/lowest.txt pyproject.toml >/dev/null
	$(foreach one,$(VERSIONS) $(EXTREMES),$(call resolve,$(one)))

# The tools of the tests have no lowest versions: they are the newest that go with what the package needs.
LIMITS-lowest := --constraint build/lowest.txt
# What Airflow 2.11.0 does not work with, and later releases of 2.11 exclude by themselves.
BESIDE_LOWEST := universal-pathlib<0.3
FOR_PYTHON-highest := 3.13

define resolve
echo 'apache-airflow$(RELEASE-$1:%===%)' | .venv/bin/uv pip compile --quiet --upgrade --no-header --no-annotate \
	--python-version $(or $(FOR_PYTHON-$1),3.11) --exclude-newer $(DAY-$1) $(LIMITS-$1) \
	--all-extras --group dev $(GROUPS-$1) --output-file $(call constraints,$1) pyproject.toml - >/dev/null

endef

clean: ## Remove everything that these targets made
	rm -rf .venv .venv-* .airflow-* .coverage .coverage.* dist build htmlcov .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip fetches uv, and uv the rest, in a fraction of pip's time. A second run takes away what is no longer wanted.
define install
test -x $(@D)/bin/uv || { $(or $(PYTHON-$*),$(PYTHON)) -m venv --clear $(@D) && $(@D)/bin/pip install --quiet --constraint $< uv; }
$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python --exact --constraint $< --build-constraint $< \
	--editable '.[sandbox,parquet,excel]' --group dev
touch $@
endef

define install_browser
$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python --constraint $< --group browser
touch $@
endef

.venv/.installed: constraints/airflow-$(NEWEST).txt pyproject.toml
	$(install)

.venv/.docs: constraints/airflow-$(NEWEST).txt .venv/.installed
	.venv/bin/uv pip install --quiet --python .venv/bin/python --constraint $< --group docs
	touch $@

.venv/.browser: constraints/airflow-$(NEWEST).txt .venv/.installed
	$(install_browser)

.venv-$(OLDEST_WITH_PAGE)/.browser: constraints/airflow-$(OLDEST_WITH_PAGE).txt .venv-$(OLDEST_WITH_PAGE)/.installed
	$(install_browser)

# CeleryExecutor, and S3 served on this machine.
.venv-cluster/.installed: constraints/airflow-$(NEWEST).txt pyproject.toml
	$(install)
	$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python --constraint $< --group cluster
	touch $@

$(OLDER:%=.venv-%/.installed): .venv-%/.installed: constraints/airflow-%.txt pyproject.toml
	$(install)

$(EXTREMES:%=.venv-%/.installed): .venv-%/.installed: constraints/%.txt pyproject.toml
	$(install)

.venv-prerelease/.installed: newest-packages
	test -x $(@D)/bin/uv || { $(PYTHON) -m venv --clear $(@D) && $(@D)/bin/pip install --quiet uv; }
	$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python --upgrade --prerelease if-necessary-or-explicit \
		apache-airflow==$(PRERELEASE) --editable '.[sandbox,parquet,excel]' --group dev
	touch $@

define migrate
@mkdir -p $(@D)
@AIRFLOW_HOME=$(CURDIR)/$(@D) $(<D)/bin/airflow db migrate >$(@D)/migrate.log 2>&1 || { cat $(@D)/migrate.log; false; }
@touch $@
endef

.venv/home/airflow.db: .venv/.installed
	$(migrate)

# The examples have run once, so that there are deliveries on the campaign page from the start.
.airflow-standalone/airflow.db: | .venv/.installed
	.venv/bin/python scripts/demo.py --home $(@D)

$(filter-out .venv-$(NEWEST)/%,$(TESTABLE:%=.venv-%/home/airflow.db)): .venv-%/home/airflow.db: .venv-%/.installed
	$(migrate)
