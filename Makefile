# Every target has a `##` line; `make help` prints them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
SOURCE ?= sample
AS_OF ?= $(if $(filter sample,$(SOURCE)),2026-09-30,)
NAME ?= quarterly
TO ?= you@example.com
BIN := .venv/bin
REVOPS := $(BIN)/revops

define need_as_of
	@test -n "$(AS_OF)" || { echo "AS_OF is missing: say as of which day, e.g. make $@ SOURCE=$(SOURCE) AS_OF=2026-09-30"; exit 2; }
endef

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-zA-Z_-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-18s %s\n' "$$name" "$$text"; done

# The environment is rebuilt only when what it is made from changes.
.venv/.ready: requirements.lock pyproject.toml
	@echo "==> Setting up the environment in .venv (once; about half a minute)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, found " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --python $(BIN)/python --compile-bytecode requirements.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --editable .
	@touch $@

.PHONY: setup
setup: .venv/.ready ## Make the environment: .venv, the locked packages, the revops command

.PHONY: quarterly-report
quarterly-report: setup ## Load, check and render the quarter [SOURCE=… AS_OF=YYYY-MM-DD]; prints the page's path
	$(need_as_of)
	@$(REVOPS) report quarterly --source $(SOURCE) --as-of $(AS_OF) --load

.PHONY: weekly-report monthly-report board-pack
weekly-report: setup ## The week in which the day lies, and the quarter's forecast [SOURCE=… AS_OF=…]
	$(need_as_of)
	@$(REVOPS) report weekly --source $(SOURCE) --as-of $(AS_OF) --load
monthly-report: setup ## The month in which the day lies, and the quarter's forecast [SOURCE=… AS_OF=…]
	$(need_as_of)
	@$(REVOPS) report monthly --source $(SOURCE) --as-of $(AS_OF) --load
board-pack: setup ## The company on one page with its chapters, as pages and PDF [SOURCE=… AS_OF=…]
	$(need_as_of)
	@$(REVOPS) report board_pack --source $(SOURCE) --as-of $(AS_OF) --load

.PHONY: report
report: setup ## Render one report of params/reports NAME=… [SOURCE=… AS_OF=…]
	$(need_as_of)
	@$(REVOPS) report $(NAME) --source $(SOURCE) --as-of $(AS_OF)

.PHONY: email
email: setup ## Write the mail of the newest run as .eml, sending nothing [NAME=… SOURCE=… TO=…]
	@$(REVOPS) email --latest $(NAME) --source $(SOURCE) --to "$(TO)" --dry-run

.PHONY: verify
verify: setup ## Render a run again and compare every byte [RUN=folder, or NAME=… SOURCE=… for the newest]
	@$(REVOPS) verify $(if $(RUN),"$(RUN)",--latest $(NAME) --source $(SOURCE))

.PHONY: serve
serve: setup ## Serve the reports to this machine only, until Ctrl-C [PORT=8765]
	@$(REVOPS) serve $(if $(PORT),--port $(PORT))

.PHONY: schedule
schedule: setup ## List what runs by itself; with AT=2026-10-01T11:00Z do what was due up to then
	@$(REVOPS) schedule $(if $(AT),run --at "$(AT)",list)

.PHONY: validate
validate: setup ## Load the source and check its data [SOURCE=…]
	@$(REVOPS) load $(SOURCE)
	@$(REVOPS) validate $(SOURCE)

.PHONY: forecast
forecast: setup ## Forecast the bookings of a period [SOURCE=… AS_OF=… PERIOD=2026-Q4]
	$(need_as_of)
	@$(REVOPS) forecast --source $(SOURCE) --as-of $(AS_OF) $(if $(PERIOD),--period $(PERIOD))

.PHONY: question
question: export TITLE := $(value TITLE)
question: setup ## Make a notebook for a question TITLE="Why did …?" [SOURCE=… AS_OF=…]
	$(need_as_of)
	@$(REVOPS) question new "$$TITLE" --source $(SOURCE) --as-of $(AS_OF)

.PHONY: lab
lab: setup ## Open JupyterLab on the start page [ARGS="--no-browser --port 8899"; as root: --allow-root]
	@$(BIN)/jupyter lab --notebook-dir=notebooks --LabApp.default_url=/lab/tree/start.ipynb $(ARGS)

.PHONY: notebooks
notebooks: setup ## Store new key figures in the notebooks, after a figure moved on purpose
	@$(BIN)/python -m revops_analysis.reporting.notebooks

.PHONY: check
check: setup ## Style, types and the one-way imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: test
test: check ## Run every check and every test, notebooks included
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -q

.PHONY: bench
bench: setup ## Measure speed and memory [SCALES="1 10 100"]
	@$(BIN)/python -m benchmarks $(SCALES)

.PHONY: lock
lock: ## Resolve requirements.lock again from pyproject.toml
	@$(BIN)/uv pip compile --quiet --no-header --universal --python-version 3.11.0 --group dev pyproject.toml --output-file requirements.lock

.PHONY: clean
clean: ## Remove loads and rendered reports; keeps the environment and the memory of what was mailed
	@rm -rf warehouse/*/ warehouse/.locks reports/*/ reports/.locks reports/index.html .hypothesis .mypy_cache .ruff_cache
