"""States said together are said as one after the other."""

import pytest
from sqlalchemy import select

from archive.errors import StateMoved
from archive.index import tables
from archive.index.journal import chain_is_whole, entries
from archive.index.overlay import ANY_OCTETS, StateRow, set_state, set_states
from archive.states import InstanceState
from tests.index.builders import Rows


def said(uid: str, state: InstanceState = InstanceState.REJECTED, code: str = "113001") -> StateRow:
    return StateRow(
        sop_instance_uid=uid,
        sha256=ANY_OCTETS,
        state=state,
        serves=True,
        code=code,
        actor="test",
        at_ms=1,
        numbered_by="RXA",
    )


def say(rows: Rows, *states: StateRow) -> list[int]:
    with rows.index.writing() as conn:
        return set_states(conn, custodian="RXA", rows=states)


def test_numbers_go_on_without_gaps_and_what_is_said_already_keeps_its_own(rows: Rows) -> None:
    assert say(rows, said("1.1"), said("1.2"), said("1.3")) == [1, 2, 3]
    assert say(rows, said("1.4"), said("1.2"), said("1.5")) == [4, 2, 5]
    with rows.index.writing() as conn:
        assert set_state(conn, custodian="RXA", row=said("1.6")) == 6

    with rows.index.reading() as conn:
        subjects = [entry.subject for entry in entries(conn, kind="state", organisation="RXA")]
        assert chain_is_whole(conn, kind="state", organisation="RXA")
    assert subjects == ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]


def test_nothing_said_writes_nothing(rows: Rows) -> None:
    assert say(rows) == []

    with rows.index.reading() as conn:
        assert list(entries(conn, kind="state", organisation="RXA")) == []


def test_of_two_states_of_one_instance_the_later_stands_and_both_are_on_the_journal(
    rows: Rows,
) -> None:
    numbers = say(rows, said("1.1"), said("1.2"), said("1.1", code="113037"), said("1.2"))

    columns = tables.instance_state.c
    with rows.index.reading() as conn:
        stands = conn.execute(
            select(columns.sop_instance_uid, columns.code, columns.seq).order_by(columns.seq)
        ).all()
        journalled = [entry.subject for entry in entries(conn, kind="state", organisation="RXA")]
    assert numbers == [3, 2, 3, 2]
    assert [tuple(row) for row in stands] == [("1.2", "113001", 2), ("1.1", "113037", 3)]
    assert journalled == ["1.1", "1.2", "1.1"]


def test_one_move_that_is_not_allowed_leaves_none_of_the_others(rows: Rows) -> None:
    say(rows, said("1.1", InstanceState.DELETED))

    with pytest.raises(StateMoved):
        say(rows, said("1.2"), said("1.1"))

    with rows.index.reading() as conn:
        uids = conn.execute(select(tables.instance_state.c.sop_instance_uid)).scalars().all()
    assert uids == ["1.1"]
