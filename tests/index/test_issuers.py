"""Whose number an object carries: what its header says of the issuer is never passed over."""

import pytest
from sqlalchemy import select

from archive.index import tables
from archive.reader import Level
from archive.states import LinkState
from archive.words.identity import Asker
from tests.index.builders import ASKS_RXA, ASKS_RXA_WEST, ASKS_RXB, RXA, RXB, Rows, arrived


def _found(rows: Rows, asker: Asker, number: str) -> int:
    return len(list(rows.reader.search(asker, Level.STUDY, {"PatientID": number})))


def _findings(rows: Rows) -> list[str]:
    with rows.index.reading() as conn:
        return list(conn.execute(select(tables.data_quality.c.code)).scalars())


@pytest.mark.parametrize(
    ("issuer", "finding"), [("RXB", "FOREIGN_ISSUER"), ("WEIRD", "UNKNOWN_ISSUER")]
)
def test_a_number_of_somebody_elses_is_not_taken_for_one_of_this_trust(
    rows: Rows, issuer: str, finding: str
) -> None:
    source = rows.source(RXA)
    ours, theirs = rows.patient("4711", RXA, "Main^Mary"), rows.patient("B1", RXB, "Main^Mary")
    rows.link(ours, theirs, LinkState.CONFIRMED)

    rows.take(arrived(source, "1.1", PatientID="4711", IssuerOfPatientID=issuer))

    assert _found(rows, ASKS_RXA, "4711") == 0
    assert _found(rows, ASKS_RXB, "B1") == 0
    assert _findings(rows) == [finding]
    (kept,) = rows.reader.search(ASKS_RXA, Level.STUDY, {"StudyInstanceUID": "1.2.3"})
    assert kept.attributes["PatientID"] == "4711"


def test_it_is_said_once_for_a_study(rows: Rows) -> None:
    source = rows.source(RXA)

    for number in range(3):
        rows.take(arrived(source, f"1.{number}", PatientID="4711", IssuerOfPatientID="WEIRD"))

    assert _findings(rows) == ["UNKNOWN_ISSUER"]


def test_the_trusts_other_authority_in_the_header_counts_before_the_sources(rows: Rows) -> None:
    source = rows.source(RXA)

    rows.take(arrived(source, "1.1", PatientID="4711", IssuerOfPatientID="RXAW"))

    assert _found(rows, ASKS_RXA_WEST, "4711") == 1
    assert _found(rows, ASKS_RXA, "4711") == 0
    assert _findings(rows) == []


def test_a_header_without_an_issuer_is_taken_as_its_source_says(rows: Rows) -> None:
    rows.take(arrived(rows.source(RXA), "1.1", PatientID="4711"))

    assert _found(rows, ASKS_RXA, "4711") == 1
    assert _findings(rows) == []
