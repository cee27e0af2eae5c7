"""Receiving starts fast and needs nothing but a disk."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "archive" / "store").glob("[a-z]*.py"))
FOREIGN = ("obstore", "sqlalchemy", "pydicom", "pynetdicom", "numpy", "httpx", "celery", "redis")
SLOW = ("asyncio", "ssl", "http", "email", "multiprocessing", "tarfile", "tempfile")


@pytest.mark.parametrize("module", MODULES)
def test_the_store_imports_nothing_foreign_and_nothing_slow(module: str) -> None:
    code = f"import sys, archive.store.{module}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {*FOREIGN, *SLOW}
