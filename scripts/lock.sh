#!/usr/bin/env bash
# Writes requirements.lock and requirements-test.lock from pyproject.toml: exact versions with
# hashes, for every platform and Python that pyproject.toml allows. Versions already locked stay
# unless pyproject.toml rules them out; with --upgrade the newest are taken.
set -euo pipefail

cd "$(dirname "$0")/.."
SCRATCH="$(mktemp -d)"
trap 'rm -rf "$SCRATCH"' EXIT

if ! command -v uv >/dev/null 2>&1; then
    "${PYTHON:-python3}" -m venv "$SCRATCH/uv"
    "$SCRATCH/uv/bin/python" -m pip install --quiet uv
    PATH="$SCRATCH/uv/bin:$PATH"
fi
export UV_PYTHON_DOWNLOADS=never

# The project is installed without build isolation, so what builds it is locked with the rest.
build_requirements() {
    "${PYTHON:-python3}" - <<'PYTHON'
import pathlib
import tomllib

print(*tomllib.loads(pathlib.Path("pyproject.toml").read_text())["build-system"]["requires"])
PYTHON
}

compile() {
    build_requirements | uv pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --custom-compile-command "make lock" pyproject.toml - "$@" >/dev/null
}

compile --output-file requirements.lock "$@"
compile --output-file requirements-test.lock --extra test --constraint requirements.lock "$@"
grep -c '^[a-z]' requirements.lock requirements-test.lock
