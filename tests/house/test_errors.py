import ast
import inspect

from archive import errors
from archive.dicomweb.problems import STATUS
from archive.dimse.statuses import STATUSES
from archive.errors import ArchiveError, Damaged, Refused, Unavailable
from tests.house.source import ROOT, product_files

BASES = {ArchiveError, Refused, Unavailable, Damaged}
CLASSES = {
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, ArchiveError)
}
RAISED = CLASSES - BASES


def derived_from(names: set[str], source: str) -> set[str]:
    """The classes in a source text whose base is one of the names."""
    classes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
    return {
        node.name
        for node in classes
        if names & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    }


def test_every_error_of_the_archive_is_mapped_to_a_dimse_status() -> None:
    assert {error.__name__ for error in RAISED - STATUSES.keys()} == set()


def test_every_error_of_the_archive_is_mapped_to_an_http_status() -> None:
    assert {error.__name__ for error in RAISED - STATUS.keys()} == set()


def test_every_error_says_what_happens_next_and_gives_a_hint() -> None:
    unclear = {
        error.__name__
        for error in RAISED
        if not error.hint or not issubclass(error, Refused | Unavailable | Damaged)
    }
    assert unclear == set()


def test_the_tree_at_the_head_of_the_errors_names_each_of_them() -> None:
    assert {error.__name__ for error in CLASSES} <= set((errors.__doc__ or "").split())


def test_errors_of_archive_sync_and_tiers_are_all_listed_in_one_place() -> None:
    names = {error.__name__ for error in CLASSES}
    elsewhere = {
        str(path.relative_to(ROOT)): found
        for path in product_files()
        if path.parts[len(ROOT.parts)] != "deploy" and path != ROOT / "archive" / "errors.py"
        for found in [derived_from(names, path.read_text(encoding="utf-8"))]
        if found
    }
    assert elsewhere == {}
