import importlib.metadata
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.house.source import ROOT, module_name, product_files, project
from tests.house.test_locks import RUN_TIME, TESTS, locked

DATABASE = ("sqlalchemy", "alembic", "sqlite3", "psycopg")
BROKER = ("redis", "valkey", "kombu", "celery", "billiard")
HTTP = ("httpx", "httpcore", "starlette", "uvicorn", "h11", "anyio", "jinja2", "pydantic")

# The one module that speaks to object stores; obstore comes with the extra `s3`.
NEEDS_AN_EXTRA = {"archive.store.s3_blobs"}

IMPORT_WITH_SOME_HIDDEN = """
import importlib, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r} (hidden)", name=name)
        return None

modules, hidden = sys.argv[1].split(","), set(sys.argv[2].split(","))
sys.meta_path.insert(0, Hidden())
for module in modules:
    importlib.import_module(module)
"""


def import_without(modules: Iterable[str], hidden: Iterable[str]) -> None:
    """Import modules in a process of its own that cannot see the hidden top-level packages."""
    program = [sys.executable, "-c", IMPORT_WITH_SOME_HIDDEN, ",".join(modules), ",".join(hidden)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def only_in_the_test_extras() -> set[str]:
    """Top-level import names of what the test lock has and the run-time lock has not."""
    extras = locked(TESTS).keys() - locked(RUN_TIME).keys()
    return {
        name
        for name, distributions in importlib.metadata.packages_distributions().items()
        if {canonicalize_name(distribution) for distribution in distributions} <= extras
    }


def test_the_import_contracts_hold() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_receive_is_imported_without_database_broker_or_http_libraries() -> None:
    import_without(["archive.dimse.receive"], DATABASE + BROKER + HTTP)


def test_every_console_entry_point_is_imported_without_the_test_extras() -> None:
    modules = {target.partition(":")[0] for target in project()["project"]["scripts"].values()}
    import_without(sorted(modules), only_in_the_test_extras())


def test_every_module_but_the_s3_store_is_imported_without_the_test_extras() -> None:
    modules = {module_name(path) for path in product_files()} - NEEDS_AN_EXTRA
    import_without(sorted(modules), only_in_the_test_extras())
