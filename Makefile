# Everything a checkout can do. Each target sets up what it needs in .venv and build/,
# and the second run starts at once.
#
#   make        build auditring into .venv, editable
#   make demo   show the main job on real events
#   make test   the C tests as they are, then pytest
#   make check  the C tests under sanitizers, a short kill storm, a kill at every test
#               point, stopped leaders, the mutants, 20 meetings
#   make lint   formatters, linters, types
#   make conformance [CASES=DIR]   case files that Kubernetes' own code answered
#   make bench [QUICK=1] [MINUTES=N]   side by side with every rival that can be
#       installed
#   make bench-guard [STORE=1]   instructions of the hot paths next to stored ones,
#       and of hostile bodies on their way through the masks
#   make performance   both in full, and docs/explanation/performance.md from them
#   make hostile-fuzz [SECONDS=N] [SEED=N]   rubbish in the shared files
#   make storm | sidecar-storm | meetings [ROUNDS=N] | gunicorn-storm | shop-load | soak | coverage
#   make clean
#
# AUDITRING_DEBUG=1 and AUDITRING_SANITIZE=... choose how the extension is built
# (setup.py); PYTHON=python3.13 chooses the interpreter of a new .venv.

PYTHON ?= python3
SOAK_MINUTES ?= 10
SECONDS ?= 60
ROUNDS ?= 200
CASES ?= tests/data/conformance

BIN := .venv/bin
COMMA := ,
PIP := $(BIN)/python -m pip install --quiet
C_TESTS := $(MAKE) --no-print-directory -f tests/csrc/Makefile -j$(shell nproc)
SOURCES := $(wildcard csrc/*.[ch] src/auditring/*/*.pyx src/auditring/*/*.pxd \
    src/auditring/*/*.h)
C_FILES := $(wildcard csrc/*.[ch] src/auditring/*/*.h tests/*/*.[ch] bench/*/*.[ch])
CYTHON_MODULES := $(subst /,.,$(patsubst src/%.pyx,%,$(wildcard src/auditring/*/*.pyx)))
EXTENSIONS := src/auditring/*/_*.so

# The compiler that this Makefile looks for is the one that builds the extension.
export CC
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: all demo test check lint conformance bench bench-guard performance storm
.PHONY: sidecar-storm hostile-fuzz meetings gunicorn-storm shop-load soak coverage mutants clean missing FORCE
.DEFAULT_GOAL := all

all: $(BIN)/.installed

demo: $(BIN)/.installed
	$(BIN)/auditring demo

test: $(BIN)/.installed $(BIN)/.dev
	$(C_TESTS) plain
	$(BIN)/python -m pytest

# tests/crash/test_meetings.py holds that these 20 meetings have each kind at least once.
check: $(BIN)/.installed $(BIN)/.dev
	$(C_TESTS) address
	$(C_TESTS) thread
	$(C_TESTS) storm KILLS=1000
	$(C_TESTS) points
	$(C_TESTS) stalls
	$(C_TESTS) mutants
	$(BIN)/python tests/crash/meetings.py '{"rounds": 20, "seed": 7000}'

lint: $(BIN)/.installed $(BIN)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(BIN):$$PATH" $(BIN)/cython-lint src
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml $(CYTHON_MODULES)

conformance: $(BIN)/.installed
	$(BIN)/python tests/conformance.py $(CASES)

# QUICK=1: only the comparison with all rivals, in under three minutes. The page on
# performance has the figures of the last run.
bench: $(BIN)/.installed $(BIN)/.bench $(BIN)/.rivals
	$(BIN)/python bench/bench_rivals.py $(if $(QUICK),--quick) $(if $(MINUTES),--minutes $(MINUTES))
	$(BIN)/python bench/performance_page.py
ifeq ($(QUICK),)
	$(BIN)/python bench/bench_policy.py
	$(BIN)/python bench/bench_writer.py
	$(BIN)/python bench/bench_encode.py
	$(BIN)/python bench/bench_request.py
	$(BIN)/python bench/bench_handlers.py
	$(BIN)/python bench/bench_follow.py
	$(BIN)/python bench/bench_middleware.py
endif

bench-guard: $(BIN)/.installed
	@command -v valgrind >/dev/null || { test "$$(id -u)" = 0 && \
	    apt-get -qq update && \
	    apt-get -qq install --no-install-recommends valgrind; } || \
	    { echo "make: missing: valgrind (Debian: apt install valgrind)" >&2; exit 1; }
	$(BIN)/python bench/bench_guard.py $(if $(STORE),--store)
	$(BIN)/python bench/bench_redaction.py

# All that docs/explanation/performance.md is made from, in full: more than an hour.
performance:
	$(MAKE) bench-guard STORE=1
	$(MAKE) bench QUICK=

storm:
	$(C_TESTS) storm KILLS=100000

SIDECARS := "restarts": 200, "rotations": 1000
NUMBERED := "dialect": "stdlib", "compress": "zstd", "output": "pipe"
sidecar-storm: $(BIN)/.installed $(BIN)/.dev
	$(BIN)/python tests/crash/sidecar_storm.py '{"ending": "SIGTERM", $(SIDECARS)}'
	$(BIN)/python tests/crash/sidecar_storm.py '{"ending": "SIGKILL", $(SIDECARS)}'
	$(BIN)/python tests/crash/sidecar_storm.py \
	    '{"ending": "SIGTERM", $(SIDECARS), $(NUMBERED)}'
	$(BIN)/python tests/crash/sidecar_storm.py \
	    '{"ending": "SIGKILL", $(SIDECARS), $(NUMBERED)}'
	$(BIN)/python tests/crash/sidecar_storm.py \
	    '{"ending": "SIGKILL", $(SIDECARS), "registered": true}'

# For so many seconds.
hostile-fuzz: $(BIN)/.installed $(BIN)/.dev
	$(BIN)/python tests/crash/hostile.py $(or $(SECONDS),60) $(or $(SEED),1)

# Users, forks, limits, reloads, greenlets and whatever else may be at a log, put together
# by chance; SEED=N begins with that one.
meetings: $(BIN)/.installed $(BIN)/.dev
	$(BIN)/python tests/crash/meetings.py '{"rounds": $(ROUNDS)$(if $(SEED),$(COMMA) "seed": $(SEED))}'

# So many seconds for each kind of workers, with and without --preload and --user.
gunicorn-storm: $(BIN)/.installed $(BIN)/.dev
	$(BIN)/python tests/crash/gunicorn_storm.py '{"worker": "all", "seconds": $(SECONDS)}'

# Real applications behind real servers.
shop-load: $(BIN)/.installed $(BIN)/.dev
	$(BIN)/python tests/served/shop_load.py '{"requests": 200}'

mutants:
	$(C_TESTS) mutants

soak: $(BIN)/.installed
	$(BIN)/python bench/soak.py --minutes $(SOAK_MINUTES)
	$(BIN)/python tests/crash/soak.py --minutes $(SOAK_MINUTES)

# The counts of an earlier run go first: the programs would add to them.
coverage: $(BIN)/.dev
	mkdir -p build/coverage
	find build/coverage -name '*.gcda' -delete
	$(C_TESTS) coverage
	$(BIN)/gcovr --root . --filter csrc/ --object-directory build/coverage \
	    --fail-under-line 95 build/coverage

clean:
	rm -rf .venv build dist src/*.egg-info src/auditring/*/*.so
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests bench -name __pycache__ -prune -exec rm -rf {} +

# Prints the Debian packages that are missing for a build, and nothing if all is there.
HAS_HEADER := import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")
missing:
	@if ! command -v $(PYTHON) >/dev/null; then \
	    echo python3 python3-venv python3-dev; \
	else \
	    $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv; \
	    $(PYTHON) -c '$(HAS_HEADER)' 2>/dev/null || echo python3-dev; \
	fi
	@echo '#include <pthread.h>' | $(CC) -x c -fsyntax-only - 2>/dev/null || \
	    echo gcc libc6-dev

# .venv: the interpreter, then what the build needs, then what its users need.

$(BIN)/.created:
	@missing=$$(echo $$($(MAKE) --silent missing)); test -z "$$missing" || \
	    { echo "make: missing: $$missing (Debian: apt install $$missing)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "make: $(PYTHON) is older than 3.11; try PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade 'pip>=25.1'
	@touch $@

# What decides over the extension and setuptools doesn't look at: the switches and the
# list of its files. A change takes the extension away.
SWITCHES = CC=$(CC) DEBUG=$(AUDITRING_DEBUG) SANITIZE=$(AUDITRING_SANITIZE) $(SOURCES)

build/switches: FORCE
	@mkdir -p build
	@echo '$(SWITCHES)' | cmp -s - $@ || { rm -f $(EXTENSIONS); echo '$(SWITCHES)' >$@; }

$(BIN)/.tools: $(BIN)/.created pyproject.toml
	$(PIP) --group build
	@touch $@

# Built before it is installed: here a compiler's error stands alone, under pip it
# drowns in pip's own.
# Cython doesn't look at its directives, in setup.py.
$(BIN)/.built: $(BIN)/.tools setup.py build/switches $(SOURCES)
	@mkdir -p build/cython
	@find build/cython -name '*.c' ! -newer setup.py -delete
	$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

$(BIN)/.installed: pyproject.toml src/auditring/_version.py | $(BIN)/.built
	$(PIP) --no-build-isolation --editable .
	@touch $@

$(BIN)/.dev: $(BIN)/.created pyproject.toml
	$(PIP) --group dev
	@touch $@

$(BIN)/.bench: $(BIN)/.created pyproject.toml
	$(PIP) --group bench
	@touch $@

# Those that can't be installed are told of, here and beside the results.
$(BIN)/.rivals: $(BIN)/.created pyproject.toml bench/install_rivals.py
	$(BIN)/python bench/install_rivals.py
	@touch $@
