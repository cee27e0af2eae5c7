"""Two transactions at once, on both databases: neither overlooks what the other does."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from sqlalchemy import Connection, update

from archive.index import tables
from archive.index.copies import PackKey, note_copy
from archive.index.directory import place_id
from archive.index.packs import announce_pack
from archive.index.studies import move_study, study_row
from archive.states import CopyState, StudyState
from archive.store.manifest import Manifest, Member, PackKind
from archive.store.origin import Origin
from central_store.tiers.uploads import _settle
from sync.replicate import settle_study
from tests.index.builders import CT, EXPLICIT, RXA, Rows, arrived

OVERLAP_S = 0.3
"""How long a transaction stays open after its work, in case another can do its own meanwhile."""


def overlapping(rows: Rows, works: Sequence[Callable[[Connection], None]]) -> None:
    """Do each work in a transaction of its own, all of them open at the same time if they can."""
    done = threading.Barrier(len(works))

    def transact(work: Callable[[Connection], None]) -> None:
        with rows.index.writing() as conn:
            work(conn)
            with suppress(threading.BrokenBarrierError):
                done.wait(OVERLAP_S)

    with ThreadPoolExecutor() as pool:
        list(pool.map(transact, works))


def stable_study(rows: Rows) -> list[PackKey]:
    """Return the packs of a study that is STABLE: two series, a pack each."""
    source = rows.source(RXA)
    uids = {"1.2.3.1": "1.2.3.1.1", "1.2.3.2": "1.2.3.2.1"}
    rows.take(*(arrived(source, sop, series=series) for series, sop in uids.items()))
    with rows.index.writing() as conn:
        move_study(conn, 1, before=StudyState.RECEIVING, after=StudyState.STABLE)
        place_id(conn, kind="centre", name="centre")
        return [
            announce_pack(
                conn,
                study_key=1,
                series_no=number,
                custodian_id=source.organisation_id,
                manifest=_manifest(series, sop),
                origin=Origin("RXA", "", "RXA", None, "", "2026-03-01", ()),
                at_ms=rows.now_ms,
            )
            for number, (series, sop) in enumerate(uids.items(), start=1)
        ]


def _manifest(series: str, sop: str) -> Manifest:
    member = Member(CT, sop, EXPLICIT, "1", bytes(32), 1)
    return Manifest.of(
        study_instance_uid="1.2.3",
        series_instance_uid=series,
        kind=PackKind.SERIES,
        members=[member],
    )


def test_a_study_is_replicated_though_its_last_packs_are_confirmed_at_once(rows: Rows) -> None:
    def confirming(pack: PackKey) -> Callable[[Connection], None]:
        def confirm(conn: Connection) -> None:
            confirmed = CopyState.CONFIRMED
            note_copy(conn, pack, kind="centre", name="centre", state=confirmed, at_ms=1)
            settle_study(conn, pack[0])

        return confirm

    overlapping(rows, [confirming(pack) for pack in stable_study(rows)])
    with rows.index.reading() as conn:
        assert study_row(conn, 1).state == StudyState.REPLICATED


def test_a_study_is_complete_at_the_centre_though_its_last_packs_are_held_at_once(
    rows: Rows,
) -> None:
    def holding(pack: PackKey) -> Callable[[Connection], None]:
        def hold(conn: Connection) -> None:
            columns = tables.pack.c
            this = (columns.study_key == pack[0], columns.series_no == pack[1])
            conn.execute(update(tables.pack).where(*this).values(encoding_id=bytes(32)))
            _settle(conn, pack[0])

        return hold

    overlapping(rows, [holding(pack) for pack in stable_study(rows)])
    with rows.index.reading() as conn:
        assert study_row(conn, 1).state == StudyState.REPLICATED
