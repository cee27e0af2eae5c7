"""A batch is registered as if its instances came one after the other, at the price of a few."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, select

from archive.index import tables
from archive.index.header import Arrived
from archive.index.journal import chain_is_whole
from archive.index.packs import read_unsealed
from archive.index.register import Answer, Verdict
from archive.intake.rejection import Rejection, reject
from tests.index.builders import RXA, RXB, Rows, arrived


def series_of(
    rows: Rows, study: str, size: int, *, series: int = 1, patient: str = "7", issuer: str = ""
) -> list[Arrived]:
    source = rows.source(RXA)
    return [
        arrived(
            source,
            f"{study}.{number % series}.{number}",
            study=study,
            series=f"{study}.{number % series}",
            PatientID=patient,
            IssuerOfPatientID=issuer,
        )
        for number in range(size)
    ]


@contextmanager
def counted(rows: Rows) -> Iterator[list[str]]:
    """Give the list of the statements sent while the body runs."""
    sent: list[str] = []

    def note(*said: object) -> None:
        sent.append(str(said[2]))

    event.listen(rows.index._engine, "before_cursor_execute", note)
    yield sent
    event.remove(rows.index._engine, "before_cursor_execute", note)


def withheld(rows: Rows) -> list[str]:
    with rows.index.reading() as conn:
        return sorted(one.sop_instance_uid for one in read_unsealed(conn, 1, 1).withheld)


@pytest.mark.parametrize("issuer", ["", "RXA"])
def test_a_batch_of_one_study_takes_as_many_statements_as_one_instance(
    rows: Rows, issuer: str
) -> None:
    rows.take(*series_of(rows, "1.1", 1, issuer=issuer))
    with counted(rows) as of_one:
        rows.take(*series_of(rows, "1.2", 1, issuer=issuer))
    with counted(rows) as of_many:
        rows.take(*series_of(rows, "1.3", 64, series=4, issuer=issuer))
    assert len(of_many) == len(of_one)


def test_instances_of_another_patient_take_no_statements_each(rows: Rows) -> None:
    rows.take(*series_of(rows, "1.2.3", 1))
    with counted(rows) as of_two:
        rows.take(*series_of(rows, "1.2.3", 3, patient="8")[1:])
    with counted(rows) as of_many:
        rows.take(*series_of(rows, "1.2.3", 64, patient="8")[3:])
    assert len(of_many) == len(of_two)
    assert len(withheld(rows)) == 63


def test_a_note_about_two_thousand_images_takes_few_statements(rows: Rows) -> None:
    note = arrived(rows.source(RXA), "1.5.1", study="1.5")
    uids = tuple(f"1.2.3.1.{number}" for number in range(2000))
    for code in ("113001", "113037"):
        with counted(rows) as sent, rows.index.writing() as conn:
            reject(conn, note, Rejection(code, uids), at_ms=rows.now_ms)
        assert len(sent) < 30
    with rows.index.reading() as conn:
        numbers = conn.execute(select(tables.instance_state.c.seq)).scalars().all()
        codes = set(conn.execute(select(tables.instance_state.c.code)).scalars())
        assert chain_is_whole(conn, kind="state", organisation="RXA")
    assert (min(numbers), max(numbers), len(set(numbers))) == (2001, 4001, 2001)
    assert codes == {"113037", "REJECTION_NOTE"}


def test_the_second_of_one_uid_in_a_batch_sees_the_first(rows: Rows) -> None:
    first = arrived(rows.source(RXA), "1.1", octets=b"first")
    other = arrived(rows.source(RXA), "1.1", octets=b"other")
    verdicts = {other.key: Verdict(Answer.REVISED, first.digest.sha256)}

    assert rows.take(first, first, other, other, verdicts=verdicts) == [
        Answer.REGISTERED,
        Answer.ALREADY_HELD,
        Answer.REVISED,
        Answer.ALREADY_HELD,
    ]


def test_the_second_of_one_uid_waits_for_a_comparison_with_the_first(rows: Rows) -> None:
    both = [arrived(rows.source(RXA), "1.1", octets=octets) for octets in (b"first", b"other")]

    assert rows.take(*both) == [Answer.REGISTERED, Answer.UNDECIDED]


def test_answers_come_in_the_order_of_the_batch_whatever_its_studies(rows: Rows) -> None:
    known = arrived(rows.source(RXA), "1.7.1", study="1.7")
    rows.take(known)
    new = [arrived(rows.source(RXA), f"1.{study}.2", study=f"1.{study}") for study in (9, 7, 5)]

    assert rows.take(new[0], known, new[1], new[2], new[1]) == [
        Answer.REGISTERED,
        Answer.ALREADY_HELD,
        Answer.REGISTERED,
        Answer.REGISTERED,
        Answer.ALREADY_HELD,
    ]


def test_one_batch_may_hold_the_same_uid_of_two_custodians(rows: Rows) -> None:
    batch = [arrived(rows.source(issuer), "1.1", PatientID="7") for issuer in (RXA, RXB, RXA)]

    answers = rows.take(*batch)

    assert answers == [Answer.REGISTERED, Answer.REGISTERED, Answer.ALREADY_HELD]


def test_series_are_numbered_as_they_come_and_each_counts_its_changes(rows: Rows) -> None:
    source = rows.source(RXA)
    order = ["1.2.3.9", "1.2.3.4", "1.2.3.9", "1.2.3.7", "1.2.3.9"]
    rows.take(*(arrived(source, f"1.{n}", series=uid) for n, uid in enumerate(order)))
    rows.take(arrived(source, "1.8", series="1.2.3.5"), arrived(source, "1.9", series="1.2.3.4"))

    columns = tables.series.c
    with rows.index.reading() as conn:
        found = conn.execute(
            select(columns.series_instance_uid, columns.revision).order_by(columns.series_no)
        ).all()
        revision = conn.execute(select(tables.study.c.revision)).scalar_one()
    assert [tuple(row) for row in found] == [
        ("1.2.3.9", 3),
        ("1.2.3.4", 2),
        ("1.2.3.7", 1),
        ("1.2.3.5", 1),
    ]
    assert revision == 7


def test_the_first_of_a_batch_that_tells_a_thing_of_the_study_counts(rows: Rows) -> None:
    source = rows.source(RXA)
    rows.take(
        arrived(source, "1.1", StudyDescription="HEAD"),
        arrived(source, "1.2", PatientID="7", StudyDescription="NECK", AccessionNumber="A1"),
        arrived(source, "1.3", PatientID="7", PatientName="Doe^Jane", AccessionNumber="A2"),
        arrived(source, "1.4", PatientID="8", PatientName="Roe^John"),
    )

    columns = tables.study.c
    with rows.index.reading() as conn:
        told = conn.execute(
            select(columns.mrn, columns.patient_name, columns.description, columns.accession_number)
        ).one()
    assert tuple(told) == ("7", "Doe^Jane", "HEAD", "A1")
    assert withheld(rows) == ["1.4"]


def test_the_issuer_in_a_header_counts_for_its_own_instance_only(rows: Rows) -> None:
    source = rows.source(RXA)
    rows.take(
        arrived(source, "1.1", PatientID="7"),
        arrived(source, "1.2", PatientID="7", IssuerOfPatientID="RXAW"),
        arrived(source, "1.3", PatientID="7", IssuerOfPatientID="RXA"),
    )

    assert withheld(rows) == ["1.2"]
