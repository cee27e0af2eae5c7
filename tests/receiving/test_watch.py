"""Associations end in time, whatever their peers do; the length of PDUs is told."""

from pathlib import Path
from typing import NoReturn

import pytest

from archive.dimse.limits import DoorLimits
from deploy.demo.association import Association
from deploy.demo.upper_layer import AssociationAborted, AssociationLost, p_data, read_acceptance
from tests.peers.processes import wait_until
from tests.receiving.gates import (
    REJECTED_FOR_NOW,
    asked,
    connected,
    has_ended,
    modality,
    opened_door,
    request,
)

ENDED = (AssociationAborted, AssociationLost)


@pytest.mark.parametrize("pdu_bytes", [4096, 131_072, 1_048_576])
def test_the_longest_pdu_is_told_in_the_acceptance(tmp_path: Path, pdu_bytes: int) -> None:
    with opened_door(tmp_path, DoorLimits(pdu_bytes=pdu_bytes)) as port:
        connection = asked(port)

        assert read_acceptance(connection.receive().body).maximum_length == pdu_bytes
        connection.close()


def test_a_peer_that_says_nothing_for_too_long_is_aborted(tmp_path: Path) -> None:
    with opened_door(tmp_path, DoorLimits(idle_seconds=0.5)) as port:
        connection = asked(port)
        connection.receive()

        with pytest.raises(AssociationAborted):
            connection.receive()
        connection.close()


def test_a_peer_that_falls_silent_inside_a_pdu_is_aborted_or_closed(tmp_path: Path) -> None:
    with opened_door(tmp_path, DoorLimits(idle_seconds=0.5)) as port:
        connection = asked(port)
        connection.receive()
        connection.send(p_data(1, bytes(1000), command=True, last=False)[:500])

        with pytest.raises(ENDED):
            connection.receive()
        connection.close()


def test_an_association_open_for_too_long_is_aborted_while_it_is_busy(tmp_path: Path) -> None:
    with opened_door(tmp_path, DoorLimits(total_seconds=0.5)) as port:
        association = modality(port).open()

        with pytest.raises(ENDED):
            _echo_for_ever(association)


def test_an_association_open_for_too_long_is_aborted_inside_a_pdu(tmp_path: Path) -> None:
    with opened_door(tmp_path, DoorLimits(total_seconds=0.5)) as port:
        connection = asked(port)
        connection.receive()
        connection.send(p_data(1, bytes(1000), command=True, last=False)[:500])

        with pytest.raises(AssociationAborted):
            connection.receive()
        connection.close()


def test_a_request_that_never_ends_is_closed_in_time(tmp_path: Path) -> None:
    with (
        opened_door(tmp_path, DoorLimits(artim_seconds=0.5)) as port,
        connected(port, request()[:-1]) as slow,
    ):
        assert has_ended(slow)


def test_places_are_counted_at_a_door_that_serves_by_itself(tmp_path: Path) -> None:
    with opened_door(tmp_path, DoorLimits(associations=1)) as port:
        with modality(port).open(), connected(port, request()) as second:
            assert second.recv(100) == REJECTED_FOR_NOW

        wait_until(lambda: _is_accepted(port), what="the place is free again")


def test_a_stopped_door_ends_associations_whose_peers_do_nothing(tmp_path: Path) -> None:
    with opened_door(tmp_path, DoorLimits()) as port:
        idle = connected(port, request())
        assert idle.recv(1) == b"\x02"
        asking = connected(port, request()[:50])

    assert has_ended(idle)
    assert has_ended(asking)
    for one in (idle, asking):
        one.close()


def _echo_for_ever(association: Association) -> NoReturn:
    while True:
        association.echo()


def _is_accepted(port: int) -> bool:
    with connected(port, request()) as connection:
        kind: bytes = connection.recv(1)
        return kind == b"\x02"
