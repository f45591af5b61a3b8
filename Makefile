# The front door: `make test` on a fresh Debian 12 needs only git and make. Meson does the work.

BUILD := build
SETUP := $(BUILD)/.setup
PYTHON := python3
PREFIX := /usr/local

# For the clang and sanitizer builds: like the release, but quick to compile and good to debug.
CHECKED := -Doptimization=1 -Ddebug=true -Db_ndebug=false

# How long test-full lets each fuzzer run, how many crashes it provokes, and how large its dashboard is.
FUZZ_SECONDS := 60
CRASH_RUNS := 500
DASHBOARD_ITEMS := 10000

.PHONY: help setup build demo test test-full bench lint fmt check-fmt checks install clean

help:
	@echo 'make setup      install Debian and npm packages, once'
	@echo 'make build      the optimised binary, build/weir'
	@echo 'make demo       the dashboard example, filled and shown; KEEP=1 leaves it running'
	@echo 'make example-NAME  an example of examples/, run and shown, in the same way'
	@echo 'make test       unit and scenario tests under ASan and UBSan, and the checks'
	@echo 'make test-full  also clang, TSan, clang-tidy, long crash runs, fuzzing'
	@echo 'make bench      the benchmarks'
	@echo 'make lint       clang-tidy and the checks'
	@echo 'make fmt        format all C files'
	@echo 'make install    to PREFIX ($(PREFIX)), below DESTDIR'
	@echo 'make clean      remove build/'

setup: $(SETUP)

# Without the npm packages the stamp lies.
ifeq ($(wildcard node_modules/.package-lock.json),)
.PHONY: $(SETUP)
endif

$(SETUP): tools/packages.txt tools/setup.sh package-lock.json
	@sh tools/setup.sh
	@mkdir -p $(BUILD)
	@touch $@

# Build folders. ccache is used when it is installed; meson finds it alone.
$(BUILD)/release/build.ninja: | $(SETUP)
	meson setup $(BUILD)/release --buildtype=release --prefix=$(PREFIX)

$(BUILD)/asan/build.ninja: | $(SETUP)
	meson setup $(BUILD)/asan $(CHECKED) -Db_sanitize=address,undefined

$(BUILD)/clang/build.ninja: | $(SETUP)
	CC=clang meson setup $(BUILD)/clang $(CHECKED) -Db_sanitize=address,undefined

$(BUILD)/tsan/build.ninja: | $(SETUP)
	meson setup $(BUILD)/tsan $(CHECKED) -Db_sanitize=thread

$(BUILD)/fuzz/build.ninja: | $(SETUP)
	CC=clang meson setup $(BUILD)/fuzz $(CHECKED) -Db_sanitize=address,undefined -Dfuzz=true

build: $(SETUP) $(BUILD)/release/build.ninja
	ninja -C $(BUILD)/release
	@install -m 755 "$$($(PYTHON) tools/binary.py $(BUILD)/release)" $(BUILD)/weir

demo: build
	@KEEP=$(KEEP) ITEMS=$(ITEMS) sh tools/demo.sh

# One for each folder of examples/.
example-%: build
	@KEEP=$(KEEP) ITEMS=$(ITEMS) sh tools/demo.sh $*

test: $(SETUP) $(BUILD)/asan/build.ninja
	@$(PYTHON) tools/run_tests.py $(BUILD)/asan --checks --unit --scenario

test-full: test $(BUILD)/clang/build.ninja $(BUILD)/tsan/build.ninja $(BUILD)/fuzz/build.ninja
	$(PYTHON) tools/run_tests.py $(BUILD)/clang --unit
	TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp halt_on_error=1 second_deadlock_stack=1 handle_abort=1" \
		WEIR_DASHBOARD_ITEMS=$(DASHBOARD_ITEMS) \
		$(PYTHON) tools/run_tests.py $(BUILD)/tsan --unit --scenario --timeout 1800
	WEIR_CRASH_RUNS=$(CRASH_RUNS) \
		$(PYTHON) tools/run_tests.py $(BUILD)/asan --scenario --only f --timeout 7200
	$(PYTHON) tools/run_tidy.py $(BUILD)/clang
	$(PYTHON) tools/run_fuzz.py $(BUILD)/fuzz --seconds $(FUZZ_SECONDS)

bench: build
	bench/run

lint: $(SETUP) $(BUILD)/clang/build.ninja checks
	$(PYTHON) tools/run_tidy.py $(BUILD)/clang

checks: $(SETUP) $(BUILD)/asan/build.ninja
	@$(PYTHON) tools/run_tests.py $(BUILD)/asan --checks

fmt: $(SETUP)
	@$(PYTHON) tools/check_format.py --fix

check-fmt: $(SETUP)
	@$(PYTHON) tools/check_format.py

# The folder was set up with the PREFIX of that time.
install: build
	@grep -q '"name": "prefix", "value": "$(PREFIX)"' $(BUILD)/release/meson-info/intro-buildoptions.json || \
		{ meson configure $(BUILD)/release -Dprefix=$(PREFIX) && ninja -C $(BUILD)/release; }
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)/release --no-rebuild

clean:
	rm -rf $(BUILD)
