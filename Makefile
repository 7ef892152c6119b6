# make demo and make test need Python >= 3.10 and make; they set up .venv by themselves.

ARGS ?=
OUT  ?= out
PYTHON ?= $(or $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; \
	done),python3)
VENV  ?= .venv
NUMPY ?=# a version such as 1.26.*, instead of the newest
PY := $(VENV)/bin/python
FOR := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')$(NUMPY:%=-%)
RUN_READY := $(VENV)/.ready-to-run-$(FOR)
DEV_READY := $(VENV)/.ready-to-test-$(FOR)
BOOK_READY := $(VENV)/.ready-for-the-book-$(FOR)
SITE_READY := $(VENV)/.ready-for-the-site-$(FOR)
SET_UP := tools/setup_venv.py --venv $(VENV) $(NUMPY:%=--numpy '%')

# Small products lose by threads, and the tests run in several processes already.
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST  := $(THREADS) $(PY) -m pytest -n auto --maxprocesses 4

PICTURES  := op cell gate rolled flow params arch backward diff
op_IS     := --cell lstm --steps 3 --view op
cell_IS   := --cell gru --steps 4 --view cell
gate_IS   := --cell lstm --steps 2 --view gate
rolled_IS := --cell lstm --view rolled
flow_IS   := --cell lstm --against rnn --steps 30 --loss last --view flow
params_IS := --cell rnn --steps 5 --view params
arch_IS   := --arch encoder-decoder
backward_IS := --cell rnn --steps 3 --view backward
diff_IS   := --cell lstm --against peephole --steps 2 --view diff

.PHONY: help demo test format-check lint types unit slow format bench pictures tutorials course sheet site site-packages lite clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      draw the unrolled graph of an LSTM, train a small one, check its BPTT"
	@echo "make test      format, lint, types and tests       (ARGS='-k lstm' goes to pytest;"
	@echo "               PYTHON=python3.12, NUMPY=1.26.*: with another interpreter, another NumPy)"
	@echo "make slow      the tests that take long"
	@echo "make bench     this engine against its peers       (ARGS='--suite eager')"
	@echo "make pictures  make the README's pictures anew"
	@echo "make tutorials execute the notebooks of the book   (ARGS='04' one of them)"
	@echo "make course    notebooks for students, nbgrader and otter-grader, in out/course"
	@echo "make sheet     print the cheat sheet: equation, code, picture   (out/cheat_sheet.html, .pdf)"
	@echo "make site      build the site: the book, guides, reference, an editor that draws"
	@echo "make lite      the same with JupyterLite, where the book's notebooks run in the browser"
	@echo "make format    put the code into the one format"
	@echo "make clean     remove .venv and whatever was generated"

demo: $(RUN_READY)
	@$(PY) tools/demo.py --out $(OUT) $(ARGS)

test: format-check lint types unit

format-check: $(DEV_READY)
	@echo "format   ruff format --check"; $(PY) -m ruff format --check --quiet . \
	|| { $(PY) -m ruff format --check .; echo "run: make format"; exit 1; }

lint: $(DEV_READY)
	@echo "lint     ruff check"; $(PY) -m ruff check --quiet .

types: $(DEV_READY)
	@echo "types    mypy"; $(PY) -m mypy --no-error-summary

unit: $(DEV_READY)
	@echo "tests    pytest"; $(PYTEST) $(ARGS)

slow: $(DEV_READY)
	@echo "slow     pytest -m slow"; $(PYTEST) -m slow $(ARGS)

format: $(DEV_READY)
	@$(PY) -m ruff check --quiet --select I --fix .; $(PY) -m ruff format .

bench: $(DEV_READY)
	@$(PY) tools/bench.py $(ARGS)

pictures: $(RUN_READY)
	@mkdir -p tutorials/pictures
	@$(foreach p,$(PICTURES),echo "picture  tutorials/pictures/$(p).svg" && \
	  $(PY) tools/draw_graph.py $($(p)_IS) --engine builtin -o tutorials/pictures/$(p).svg && ) true
	@echo "pictures tutorials/pictures/pass-*.svg"; $(PY) tools/draw_passes.py tutorials/pictures
	@echo "picture  tutorials/pictures/house.svg"; $(PY) tools/house.py tutorials/pictures/house.svg

tutorials: $(BOOK_READY)
	@$(THREADS) $(PY) tools/make_tutorials.py $(ARGS)

course: $(BOOK_READY)
	@$(PY) tools/make_tutorials.py --course $(OUT)/course $(ARGS)

sheet: $(RUN_READY)
	@$(PY) tools/cheat_sheet.py $(OUT)/cheat_sheet.html
	@$(PY) tools/cheat_sheet.py $(OUT)/cheat_sheet.pdf || true

site: $(SITE_READY)
	@$(THREADS) $(PY) tools/make_site.py --out $(OUT)/site $(ARGS)

site-packages: $(SITE_READY) # nothing else: .ci/run asks whether they can be had

lite: $(SITE_READY)
	@$(THREADS) $(PY) tools/make_site.py --out $(OUT)/site --lite $(ARGS)

clean:
	@rm -rf .venv build dist $(OUT) *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are older than what is to be installed only when that has changed.
$(RUN_READY): setup.cfg pyproject.toml
	@$(PYTHON) $(SET_UP) && touch $@

$(DEV_READY): setup.cfg pyproject.toml
	@$(PYTHON) $(SET_UP) dev && touch $@ $(RUN_READY)

$(BOOK_READY): setup.cfg pyproject.toml
	@$(PYTHON) $(SET_UP) notebooks && touch $@

$(SITE_READY): setup.cfg pyproject.toml
	@$(PYTHON) $(SET_UP) site && touch $@
