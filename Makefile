# The workshop. Everything happens in .venv of this checkout, which is made on first use.
#   make test PYTHON=python3.12      another Python than python3, when .venv is made
#   make test ARGS="-k capacity"     more arguments for pytest
#   make demo KEEP=1                 stay up after the demo

PYTHON ?= python3
BIN := .venv/bin
# Most of a test's time is waiting for processes and servers.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 4 ? 2 * cores : 8)))
UV_COMPILE := UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" -q

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: controlplane ## Simulated Proxmox cluster, real API server, operator: watch Offerings follow (KEEP=1 stays up)
	@KEEP="$(KEEP)" $(BIN)/python -m tools.demo

.PHONY: demo-check
demo-check: controlplane ## The demo, and whether README.md shows what it prints
	@mkdir -p build && $(BIN)/python -m tools.demo | tee build/demo.log
	@$(BIN)/python -m tools.tutorial README.md --printed build/demo.log

.PHONY: playground
playground: controlplane ## A Kubernetes API server to try things on, until Ctrl-C; .playground/env says how to reach it
	@$(BIN)/python -m tools.playground

.PHONY: tutorial
tutorial: controlplane ## Type what the tutorial says, and see whether it is what happens
	@$(BIN)/python -m tools.tutorial docs/tutorial/first-offerings.md

.PHONY: test
test: controlplane helm promtool browser-if-possible ## Run all tests (ARGS="..." for pytest)
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal $(ARGS)

.PHONY: test-search
test-search: venv ## Look for counterexamples of all properties, others in each run (SEED=7 repeats one; ARGS="..." for pytest)
	$(BIN)/pytest tests/unit -m hypothesis --hypothesis-profile=search $(if $(SEED),--hypothesis-seed="$(SEED)") \
		--timeout=1800 --numprocesses=auto --dist=worksteal $(ARGS)

.PHONY: test-long
test-long: controlplane ## Run the long tests: soak, fuzzing, every crash (MINUTES=5 for each fuzzer, SEED=7; ARGS="..." for pytest)
	LONG_MINUTES="$(MINUTES)" LONG_SEED="$(SEED)" $(BIN)/pytest -m long --timeout=3600 --numprocesses=auto --maxprocesses=8 $(ARGS)

.PHONY: e2e
e2e: controlplane helm ## Run tests in real pods: the image, the chart, upgrades, the loss of a replica (ARGS="..." for pytest)
	@$(BIN)/python -m tools.e2e $(ARGS)

.PHONY: lint
lint: venv helm ## Check style, types, import rules, generated files and lock files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --package tools --package benchmarks
	$(BIN)/lint-imports
	$(BIN)/python -m proxmox_offerings.resources.crd crds --check
	$(BIN)/python -m tools.crd_compat
	$(BIN)/python -m proxmox_offerings.exports.schema docs/reference/catalogue.schema.json --check
	$(BIN)/python -m tools.version --check
	$(BIN)/python -m tools.chart.generate --check
	$(BIN)/python -m tools.chart.manifests --check
	$(BIN)/python -m tools.site.reference --check
	$(BIN)/python -m tools.site.build --quiet
	$(BIN)/python -m tools.locks
	$(BIN)/python -m tools.strays

.PHONY: fmt
fmt: venv ## Format, and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: docs
docs: venv ## Build the documentation's site; a broken link, anchor or example is an error
	@$(BIN)/python -m tools.site.build

.PHONY: docs-serve
docs-serve: venv ## Show the documentation at http://127.0.0.1:8000, and follow changes
	@$(BIN)/python -m tools.site.build --serve

.PHONY: docs-reference
docs-reference: venv ## Generate reference pages from models, commands and examples
	$(BIN)/python -m tools.site.reference

.PHONY: bench
bench: controlplane ## Measure speed and size against floors measured in the same run (ARGS="--quick refresh" and others)
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-compare
bench-compare: controlplane ## The same, and compare with the figures of benchmarks/baseline.json by ratio (ARGS="--quick")
	$(BIN)/python -m benchmarks --compare benchmarks/baseline.json $(ARGS)

.PHONY: bench-record
bench-record: controlplane ## Measure on a quiet machine, keep the figures to compare with, and show them in the docs
	$(BIN)/python -m benchmarks --record

.PHONY: crds
crds: chart ## Generate crds/ from the models, and what follows from it in the chart and manifests/

.PHONY: chart
chart: venv helm ## Generate what the chart has from elsewhere (crds/, schema, README), and manifests/ from the chart
	$(BIN)/python -m proxmox_offerings.resources.crd crds
	$(BIN)/python -m proxmox_offerings.exports.schema docs/reference/catalogue.schema.json
	$(BIN)/python -m tools.version
	$(BIN)/python -m tools.chart.generate
	$(BIN)/python -m tools.chart.manifests

.PHONY: lock
lock: venv ## Refresh the lock files after a change of dependencies (UPGRADE=--upgrade for newer versions)
	$(UV_COMPILE) $(UPGRADE) pyproject.toml -o requirements/run.txt
	$(UV_COMPILE) $(UPGRADE) pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
	$(UV_COMPILE) $(UPGRADE) --group build -c requirements/dev.txt -o requirements/build.txt
	$(UV_COMPILE) $(UPGRADE) tools/go-toolchain.in -o tools/go-toolchain.txt

.PHONY: reviewable
reviewable: lint test release-check demo e2e ## All that CI checks

.PHONY: image
image: venv ## Build the image (TAG=name:tag BASE=image@sha256:... TOOL=docker|podman|buildah ARCHIVE=file ARGS="options")
	@$(BIN)/python -m tools.image --tag "$(TAG)" --base "$(BASE)" --tool "$(TOOL)" $(if $(ARCHIVE),--archive "$(ARCHIVE)") -- $(ARGS)

.PHONY: dist
dist: controlplane helm ## Build what a release consists of into dist/, from the last commit
	@$(BIN)/python -m tools.release.dist

.PHONY: release-check
release-check: controlplane helm ## Check whether what is here could be released: reproducible, installable, in step
	@$(BIN)/python -m tools.release.check

.PHONY: release
release: venv ## Make the last changes before a release (docs/how-to/release.md)
	@$(BIN)/python -m tools.release.cut

.PHONY: version
version: venv helm ## Go on under another version (VERSION=0.2.0)
	$(BIN)/python -m tools.version --set "$(VERSION)"
	$(BIN)/python -m tools.chart.manifests

.PHONY: venv
venv: ## Make .venv, or bring it in step with the lock file
	@command -v "$(PYTHON)" >/dev/null || \
		{ echo "error: there is no $(PYTHON): install Python 3.11 or later, or choose one with make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" tools/venv.py

.PHONY: controlplane
controlplane: venv ## Build the Kubernetes control plane for tests and demo (minutes the first time, then cached)
	@$(BIN)/python -m tools.kube.build >/dev/null

.PHONY: helm
helm: venv ## Build Helm for chart and tests (minutes the first time, then cached)
	@$(BIN)/python -m tools.helm.build >/dev/null

.PHONY: promtool
promtool: venv ## Build Prometheus' promtool, which checks alerts (minutes the first time, then cached)
	@$(BIN)/python -m tools.promtool.build >/dev/null

.PHONY: browser browser-if-possible
browser: venv ## Have Chromium for the tests of the catalogue page (installed by apt-get where it is missing)
	@$(BIN)/python -m tools.browser

browser-if-possible: venv
	@$(BIN)/python -m tools.browser --if-possible

.PHONY: screenshots
screenshots: browser ## Take the pictures of the catalogue page for the documentation
	$(BIN)/python -m tools.screenshots

.PHONY: clean
clean: ## Remove .venv and caches of this checkout
	rm -rf .venv .venv.lock .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
