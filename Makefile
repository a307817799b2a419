# Two commands do everything on a machine with Python 3.11 to 3.13, make and pip:
#   make demo    set up, anonymise the bundled clip, show source and result side by side
#   make test    set up, run every test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Where data that is not part of the project lies, as in the tests.
STREAMANON_SHARED ?= ../shared
QUICK := .cache/streamanon-bench/quick

.PHONY: help demo test check docs bench report clean
.DELETE_ON_ERROR:

help:
	@echo "make demo   anonymise the bundled clip into demo/"
	@echo "make test   run the tests"
	@echo "make check  format, lint, types, import rules"
	@echo "make docs   regenerate docs/cli.md and the pictures of the README"
	@echo "make bench  every benchmark, small: the report appears in $(QUICK)"
	@echo "make report docs/benchmarks.md and the figures of the README out of the results"
	@echo "make clean  remove everything make made"

$(VENV)/base: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/dev: $(VENV)/base
	$(BIN)/python -m pip install --quiet --editable '.[dlib,openvino,web]' --group test --group lint --group bench --group train --group gpu
	# mediapipe asks for an OpenCV of its own, which would overwrite the headless one.
	$(BIN)/python -m pip install --quiet --no-deps 'mediapipe>=1.2,<2'
	touch $@

demo: $(VENV)/base
	mkdir -p demo
	$(BIN)/streamanon run examples/demo.mp4 -o demo/out.mp4 --report demo/report.json --overwrite
	$(BIN)/python -m scripts.side_by_side examples/demo.mp4 demo/out.mp4 demo/side-by-side.png
	@echo "Look at demo/side-by-side.png and play demo/out.mp4."

test: $(VENV)/dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p streamanon
	$(BIN)/mypy -p benchmarks -p export -p scripts -p testkit -p training
	$(BIN)/mypy --explicit-package-bases tests
	$(BIN)/lint-imports

docs: $(VENV)/dev
	$(BIN)/python -m scripts.cli_reference
	$(BIN)/python -m scripts.gallery_grid
	$(BIN)/python -m scripts.anonygan_pictures

bench: $(VENV)/dev
	if test -f $(STREAMANON_SHARED)/data/lfw.tar; then \
	  $(BIN)/python -m benchmarks stills --quick --data $(STREAMANON_SHARED)/data --out $(QUICK); fi
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
