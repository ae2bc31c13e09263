# make setup    everything that notebooks need: Python, GoNB, the XLA plugin       make demo    train on two moons
# make lab      JupyterLab with the GoNB kernel                                     make test    all checks
# make bench    GoEBM beside TorchEBM and JAX; make bench-gpu: on an NVIDIA GPU     make help    the variables
#
# Needed beforehand: Go 1.26, Python 3.11 or later with venv and pip, make, and gcc for XLA. All that is installed goes to .venv,
# .venv-bench, .bin and build in this folder, but for the XLA plugin, which goes where go-xla looks for it. Each step
# leaves a stamp named after the hash of its inputs, so that a second run does only what has changed.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.PHONY: help setup demo lab lab-setup warm test bench bench-gpu plugin ebm check go-test notebooks fresh clean

ifeq ($(HOME),)
export HOME := $(CURDIR)/build/home
endif
export GOMLX_NO_AUTO_INSTALL := 1
export GOFLAGS ?= -buildvcs=false

PYTHON      ?= python3
XLA         ?= $(if $(filter 1,$(shell go env CGO_ENABLED)),yes,no)
ACCELERATOR ?= cpu
TEST_FLAGS  ?= -p 2 -timeout 20m
LAB_FLAGS   ?=
BENCH_FLAGS ?=
NOTEBOOKS   ?= $(sort $(wildcard tutorials/*.ipynb notebooks/*.ipynb))
DEMO        := tutorials/03_train_two_moons.ipynb

help:
	@sed -n '1,3s/^# *//p' Makefile
	@echo
	@echo 'PYTHON=python3       the Python to make virtual environments with'
	@echo 'XLA=$(XLA)              no: the pure Go backend only'
	@echo 'ACCELERATOR=cpu      the XLA plugin to install: cpu, cuda, or cuda12 for older GPUs'
	@echo 'TEST_FLAGS, LAB_FLAGS, BENCH_FLAGS, NOTEBOOKS   handed on'

# stamp names a step's stamp after the content of files, the folder (which scripts hold) and anything else given.
stamp = $(1)-$(shell { cat $(2); echo '$(CURDIR) $(3)'; } | sha256sum | cut -c1-16)

VENV    := $(call stamp,.venv/.notebooks,tools/python/notebooks.txt,$(PYTHON))
LAB     := $(call stamp,.venv/.lab,tools/python/lab.txt)
TOOLS   := $(call stamp,.bin/.tools,tools/go.mod tools/go.sum,$(shell go env GOVERSION))
KERNEL  := $(call stamp,.venv/.kernel,tools/go.mod tools/go.sum)
BENCHES := $(call stamp,.venv-bench/.packages,benchmarks/requirements.txt,$(PYTHON))

# --- Set-up ----------------------------------------------------------------------------------------------------

setup: $(VENV) $(TOOLS) $(KERNEL) plugin

# A virtual environment is made anew rather than mended, so that what is in it follows from the file alone.
$(VENV): | .venv/
	@echo '== Python environment for notebooks'
	$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/python/notebooks.txt
	touch $@

# A module of its own pins the tools; `go install package@version` would ask for a list that some proxies withhold.
$(TOOLS):
	@echo '== GoNB, goimports, staticcheck'
	mkdir -p .bin
	rm -f .bin/.tools-*
	cd tools && GOBIN='$(CURDIR)/.bin' go install tool
	touch $@

$(KERNEL): $(VENV) $(TOOLS)
	@echo '== Jupyter kernel for Go'
	rm -f .venv/.kernel-*
	JUPYTER_DATA_DIR='$(CURDIR)/.venv/share/jupyter' .bin/gonb --install --force_deps --raw_error >build/kernel.log 2>&1 || { cat build/kernel.log; exit 1; }
	touch $@

# Go itself keeps this one up to date.
ebm:
	@go build -o .bin/ebm ./cmd/ebm

plugin: ebm | $(VENV)
ifeq ($(XLA),yes)
	@EBM_PYTHON='$(CURDIR)/.venv/bin/python' .bin/ebm install $(ACCELERATOR)
else
	@echo 'without XLA: no C compiler, or XLA=no'
endif

.venv/ build/:
	@mkdir -p $@
$(KERNEL): | build/

# --- Use -------------------------------------------------------------------------------------------------------

demo: setup
	.bin/ebm run --out build/demo $(DEMO)
	@echo
	@echo 'The executed notebook as a page:  $(CURDIR)/build/demo/$(basename $(notdir $(DEMO))).html'
	@echo 'Its pictures:'
	@printf '  %s\n' '$(CURDIR)'/build/demo/$(basename $(notdir $(DEMO)))-*.png

lab-setup: setup $(LAB)

$(LAB): $(VENV)
	@echo '== JupyterLab'
	rm -f .venv/.lab-*
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/python/lab.txt
	touch $@

# The first cell of a notebook is quick when the packages have been built with the kernel's own flags.
CELL_FLAGS := -buildvcs=false '-ldflags=-linkmode=internal -s -w'
warm:
	GOFLAGS="$(CELL_FLAGS)" go build ./ebm/... github.com/janpfeifer/gonb/gonbui

lab: lab-setup warm
	PATH="$(CURDIR)/.bin:$$PATH" GOFLAGS="$(CELL_FLAGS)" exec .venv/bin/python -m jupyterlab --notebook-dir='$(CURDIR)' \
	  --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate \
	  $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_FLAGS)

# --- Checks ----------------------------------------------------------------------------------------------------

# The quick ones first; go test on XLA last, so that its lines end the output.
test: setup
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory notebooks
	@$(MAKE) --no-print-directory go-test
	@echo 'make test: all passed'

check:
	@echo '== gofmt, go vet, staticcheck'
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	  test -z "$$unformatted" || { printf 'gofmt would change:\n%s\n' "$$unformatted"; exit 1; }
	go vet ./...
	.bin/staticcheck ./...
	cd tools && go mod verify >/dev/null

notebooks:
	@echo '== notebooks, with less work'
	$(if $(NOTEBOOKS),.bin/ebm run --smoke --out build/smoke $(NOTEBOOKS),@echo 'there are none')

# The pure Go backend is tested without cgo and with XLA left out, because that must work too. XLA's lines end the output.
go-test:
	@echo '== go test, pure Go backend, without cgo'
	CGO_ENABLED=0 go vet -tags noxla ./...
	$(if $(wildcard examples/quickstart),CGO_ENABLED=0 go build -tags noxla -o build/quickstart ./examples/quickstart)
	CGO_ENABLED=0 GOMLX_BACKEND=go go test -tags noxla $(TEST_FLAGS) ./...
ifeq ($(XLA),yes)
	@echo '== go test, XLA'
	GOMLX_BACKEND=xla:cpu go test $(TEST_FLAGS) ./...
endif

$(BENCHES):
	@echo '== Python environment with TorchEBM and JAX (several GB)'
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	touch $@

bench: setup $(BENCHES)
	.venv-bench/bin/python benchmarks/run.py $(BENCH_FLAGS)

# The GPU is looked for first, so that nothing is installed in vain.
bench-gpu:
	@nvidia-smi -L 2>/dev/null | grep -q '^GPU' || { echo 'make bench-gpu: there is no NVIDIA GPU here (nvidia-smi -L lists none); nothing was installed or measured' >&2; exit 1; }
	@$(MAKE) --no-print-directory ACCELERATOR=cuda setup $(BENCHES)
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements-gpu.txt
	.venv-bench/bin/python benchmarks/run.py --gpu $(BENCH_FLAGS)

# The Dockerfile's own steps in a fresh clone of what is committed, with an empty HOME: minutes, and nothing is kept.
fresh:
	tools/fresh.sh

clean:
	rm -rf .venv .venv-bench .bin build
