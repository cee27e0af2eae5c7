"""The statement is compared with what it states."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.pixels.decoders.base import get_decoder
from starlette.routing import BaseRoute, Mount

from archive.dicomweb.access import RuledRoute
from archive.dicomweb.problems import STATUS
from archive.errors import Damaged, Refused, Unavailable
from tests.dicomweb.tier import Tier

STATEMENT = Path(__file__).parents[2] / "docs" / "dicomweb.md"


@pytest.fixture(scope="module")
def statement() -> str:
    return STATEMENT.read_text(encoding="utf-8")


def test_every_refusal_stands_in_the_statement_with_its_status(statement: str) -> None:
    table = statement.split("## What goes wrong")[1]
    rows = re.findall(r"^\| (\d[\d, ]*) \| (.*) \|$", table, re.MULTILINE)
    stated = {name: codes for codes, names in rows for name in re.findall(r"\b[A-Z]\w+", names)}
    general = {Refused, Unavailable, Damaged}
    for kind, status in STATUS.items():
        is_named = issubclass(kind, Refused) and kind not in general and status < 500
        if is_named:
            assert str(status.value) in stated[kind.__name__], kind


def test_the_syntaxes_that_are_not_decoded_are_stated(statement: str) -> None:
    cannot = [
        ending
        for ending in ("50", "51", "57", "70", "80", "81", "90", "91", "201", "202", "203")
        if not get_decoder(f"1.2.840.10008.1.2.4.{ending}").is_available
    ]
    assert cannot == ["57", "70"]
    assert "JPEG Lossless (1.2.840.10008.1.2.4.57, .70)" in statement


def _paths(routes: list[BaseRoute], prefix: str = "") -> Iterator[str]:
    for each in routes:
        if isinstance(each, Mount):
            yield from _paths(each.routes, prefix + each.path)
        elif isinstance(each, RuledRoute):
            yield prefix + each.path


def test_every_search_resource_is_stated(tier: Tier, statement: str) -> None:
    short = {"{study}": "{s}", "{series}": "{e}"}
    searches = [
        path for path in _paths(tier.app().routes) if path.endswith(("series", "instances"))
    ]
    assert len(searches) == 5
    for path in searches:
        stated = path.removeprefix("/dicom-web")
        for name, letter in short.items():
            stated = stated.replace(name, letter)
        assert f"`{stated}`" in statement
