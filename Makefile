# Everything here starts from a bare checkout; scripts/prepare.sh installs what is missing.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test bench check style types contracts rules lock clean

help:
	@echo "make demo           the whole region on this machine, with a story on real images"
	@echo "make demo ONCE=1    the same, ending by itself; exit status 0 only if every step held"
	@echo "make test           everything the tests need, then all tests (ARGS=... goes to pytest)"
	@echo "make bench          speed beside Orthanc and dcmtk, into docs/performance.md (ARGS=--quick)"
	@echo "make check          style, types, import contracts and the rules of the house"
	@echo "make lock           lock files from pyproject.toml (UPGRADE=1 takes the newest versions)"
	@echo "make clean          removes .venv and what the tools left"

demo:
	@scripts/prepare.sh run
	@exec .venv/bin/imagestore demo $(if $(filter-out 0,$(ONCE)),--once)

test:
	@scripts/prepare.sh test
	@exec .venv/bin/python -m pytest $(ARGS)

bench:
	@scripts/prepare.sh test
	@exec .venv/bin/python -m tests.bench $(ARGS)

check:
	@scripts/prepare.sh check
	@$(MAKE) --no-print-directory --keep-going style types contracts rules

style:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types:
	.venv/bin/mypy

contracts:
	.venv/bin/lint-imports

rules:
	.venv/bin/python -m pytest -q tests/house

lock:
	@scripts/lock.sh $(if $(filter-out 0,$(UPGRADE)),--upgrade)

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
