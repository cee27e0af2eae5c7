"""The life of a study, as an operator reads it."""

from sqlalchemy import insert

from archive.index import tables
from archive.index.copies import note_copy
from archive.index.trace import LifeEvent, life_of
from archive.states import CopyState
from archive.words.identity import Issuer
from tests.index.builders import RXA, RXB, Rows, arrived


def life(rows: Rows) -> list[LifeEvent]:
    with rows.index.reading() as conn:
        return life_of(conn, "1.2.3")


def deliver(rows: Rows, to: Issuer, *times_ms: int) -> None:
    rows.take(arrived(rows.source(RXA), "1.2.3.1.1"))
    with rows.index.writing() as conn:
        for at_ms in times_ms:
            conn.execute(
                insert(tables.delivery).values(
                    at=at_ms,
                    destination=to.organisation,
                    means="C-MOVE",
                    custodian_id=rows.source(RXA).organisation_id,
                    study_instance_uid="1.2.3",
                    sop_instance_uid="1.2.3.1.1",
                    sha256=bytes(32),
                    stamped=True,
                )
            )


def test_deliveries_are_told_in_one_line_that_keeps_the_milliseconds_of_the_first(
    rows: Rows,
) -> None:
    second = rows.now_ms + 5_000
    deliver(rows, RXB, second + 900, second + 123, second + 1_007)
    sent = [event for event in life(rows) if event.what == "sent by C-MOVE"]
    assert [(event.at_ms, event.evidence) for event in sent] == [
        (second + 123, "2 to RXB, stamped"),
        (second + 1_007, "1 to RXB, stamped"),
    ]


def test_a_copy_is_at_the_centre_or_at_a_place_by_its_name(rows: Rows) -> None:
    rows.take(arrived(rows.source(RXA), "1.2.3.1.1"))
    with rows.index.writing() as conn:
        for kind, name in (("centre", "centre"), ("node", "RXB")):
            note_copy(
                conn, (1, 1, 1), kind=kind, name=name, state=CopyState.CONFIRMED, at_ms=rows.now_ms
            )
    told = {event.evidence for event in life(rows) if event.what == "copy CONFIRMED"}
    assert told == {"at the centre, pack 1.1", "at node RXB, pack 1.1"}
