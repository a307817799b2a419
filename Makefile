# Two commands do everything on a machine with Python 3.11 to 3.13, make and pip:
#   make demo    set up, anonymise the bundled clip, show source and result side by side
#   make test    set up, run the tests

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Where data that is not part of the project lies, as in the tests.
STREAMANON_SHARED ?= ../shared
QUICK := .cache/streamanon-bench/quick

.PHONY: help demo test test-all check docs bench report clean
.DELETE_ON_ERROR:

help:
	@echo "make demo      anonymise the bundled clip into demo/"
	@echo "make check     check format, lint, types and import rules"
	@echo "make test      run the tests that are not marked slow"
	@echo "make test-all  run every test"
	@echo "make docs      regenerate docs/cli.md and the pictures of docs/"
	@echo "make bench     run every benchmark, small; writes a report into $(QUICK)"
	@echo "make report    write docs/benchmarks.md and the figures of the README from the results"
	@echo "make clean     remove the environment, the demo's output, builds and caches of tools"

$(VENV)/base: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/dev: $(VENV)/base
	$(BIN)/python -m pip install --quiet --editable '.[dlib,heic,openvino,sealed,web]' --group test --group lint --group bench --group train --group gpu
	# mediapipe asks for an OpenCV of its own, which would overwrite the headless one.
	$(BIN)/python -m pip install --quiet --no-deps 'mediapipe>=1.2,<2'
	touch $@

demo: $(VENV)/base
	mkdir -p demo
	$(BIN)/streamanon run examples/demo.mp4 -o demo/out.mp4 --report demo/report.json --overwrite
	$(BIN)/python -m scripts.side_by_side examples/demo.mp4 demo/out.mp4 demo/side-by-side.png
	@echo "Look at demo/side-by-side.png and play demo/out.mp4."

# Three processes on two cores, as tests of live streams wait more than they compute. What fails is
# tried once more and shown as RERUN with its traceback; a raw face that is seen once is one too many.
PYTEST := $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder \
	-raR --reruns 1 --rerun-show-tracebacks --rerun-exclude-path tests/privacy

test: $(VENV)/dev
	$(PYTEST) -m "not slow"

test-all: $(VENV)/dev
	$(PYTEST)

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p streamanon -p benchmarks -p export -p scripts -p testkit -p training
	$(BIN)/mypy --explicit-package-bases tests
	$(BIN)/lint-imports

docs: $(VENV)/dev
	$(BIN)/python -m scripts.cli_reference
	$(BIN)/python -m scripts.gallery_grid
	$(BIN)/python -m scripts.anonygan_pictures

bench: $(VENV)/dev
	if test -f $(STREAMANON_SHARED)/data/lfw.tar; then \
	  $(BIN)/python -m benchmarks stills --quick --data $(STREAMANON_SHARED)/data --out $(QUICK); fi
	if test -f $(STREAMANON_SHARED)/data/london_ccby.tar; then \
	  $(BIN)/python -m benchmarks identity --quick --data $(STREAMANON_SHARED)/data/london_ccby.tar --out $(QUICK); fi
	$(BIN)/python -m benchmarks video --quick --out $(QUICK)
	$(BIN)/python -m benchmarks speed --quick --out $(QUICK)
	$(BIN)/python -m benchmarks peers --quick --out $(QUICK)
	$(BIN)/python -m benchmarks live --quick --out $(QUICK)
	$(BIN)/python -m benchmarks report --results $(QUICK) --root $(QUICK)
	@echo "Look at $(QUICK)/docs/benchmarks.md."

report: $(VENV)/dev
	$(BIN)/python -m benchmarks report

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache
