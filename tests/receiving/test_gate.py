"""The gate: who gets a place, who is told no, and who waits for nobody."""

import socket
import struct
from contextlib import ExitStack

import pytest

from archive.dimse.gate import WAITING_LIMIT
from archive.dimse.gate_request import Beginning, read_beginning
from archive.dimse.limits import DoorLimits
from tests.peers.processes import wait_until
from tests.receiving.gates import (
    REJECTED_FOR_NOW,
    connected,
    has_ended,
    opened_gate,
    request,
)

TWO_IN_ALL = DoorLimits(associations=2, associations_per_ae=2)
ONE_OF_EACH = DoorLimits(associations=10, associations_per_ae=1)


def test_the_beginning_of_a_request_tells_who_calls_whom() -> None:
    octets = request("CT1")

    assert read_beginning(octets[:42]) == Beginning("CT1", "RXA", is_request=True)
    assert [read_beginning(octets[:length]) for length in range(42)] == [None] * 42


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1", b"\x04\x00", b"\x07"])
def test_a_connection_that_begins_with_something_else_is_passed_on_at_once(octets: bytes) -> None:
    with opened_gate(DoorLimits()) as opened, connected(opened.port, octets):
        wait_until(lambda: len(opened.holder.taken) == 1, what="the connection is taken")

        taken = opened.holder.taken[0][0]
        taken.setblocking(True)
        assert taken.recv(100) == octets


def test_a_request_is_passed_on_with_all_its_octets_unread() -> None:
    with opened_gate(DoorLimits()) as opened, connected(opened.port, request()):
        wait_until(lambda: len(opened.holder.taken) == 1, what="the connection is taken")

        taken = opened.holder.taken[0][0]
        taken.settimeout(10)
        assert taken.recv(4096, socket.MSG_WAITALL | socket.MSG_PEEK)[:42] == request()[:42]


def test_one_association_more_than_in_all_is_rejected_for_now_in_the_words_of_the_standard() -> (
    None
):
    with opened_gate(TWO_IN_ALL) as opened, ExitStack() as stack:
        for calling in ("A", "B"):
            stack.enter_context(connected(opened.port, request(calling)))
        wait_until(lambda: len(opened.holder.taken) == 2, what="two are taken")

        with connected(opened.port, request("C")) as third:
            assert third.recv(100) == REJECTED_FOR_NOW
            third.shutdown(socket.SHUT_WR)
            assert has_ended(third)
        assert opened.gate.places.open() == {"A": 1, "B": 1}


def test_one_association_more_of_an_ae_is_rejected_and_another_ae_is_not() -> None:
    with opened_gate(ONE_OF_EACH) as opened, ExitStack() as stack:
        stack.enter_context(connected(opened.port, request("A")))
        wait_until(lambda: len(opened.holder.taken) == 1, what="one is taken")

        second = stack.enter_context(connected(opened.port, request("A")))
        other = stack.enter_context(connected(opened.port, request("B")))

        assert second.recv(100) == REJECTED_FOR_NOW
        wait_until(lambda: len(opened.holder.taken) == 2, what="the other AE is taken")
        assert other.getsockname() == opened.holder.taken[1][0].getpeername()


def test_a_place_is_free_again_when_its_association_has_ended() -> None:
    with opened_gate(ONE_OF_EACH) as opened, connected(opened.port, request("A")):
        wait_until(lambda: len(opened.holder.taken) == 1, what="one is taken")
        opened.holder.end(0)

        with connected(opened.port, request("A")):
            wait_until(lambda: len(opened.holder.taken) == 2, what="the next one is taken")
        assert opened.gate.places.open() == {"A": 1}


def test_a_rejection_reaches_a_peer_that_is_still_sending_its_request() -> None:
    with opened_gate(DoorLimits(associations=1)) as opened, connected(opened.port, request("A")):
        wait_until(lambda: len(opened.holder.taken) == 1, what="one is taken")

        long = request("B") + bytes(100_000)
        with connected(opened.port, long[:60], long[60:]) as second:
            assert second.recv(100) == REJECTED_FOR_NOW


def test_something_else_than_a_request_is_closed_where_no_place_is_left() -> None:
    with opened_gate(DoorLimits(associations=1)) as opened, connected(opened.port, request("A")):
        wait_until(lambda: len(opened.holder.taken) == 1, what="one is taken")

        with connected(opened.port, b"GET / HTTP/1.1") as other:
            assert has_ended(other)


def test_peers_that_say_nothing_or_one_octet_at_a_time_delay_nobody() -> None:
    with opened_gate(DoorLimits()) as opened, ExitStack() as stack:
        slow = stack.enter_context(connected(opened.port))
        for at, octet in enumerate(request("SLOW")[:41]):
            slow.sendall(bytes((octet,)))
            stack.enter_context(connected(opened.port))
            stack.enter_context(connected(opened.port, request(f"CT{at}")))
        wait_until(lambda: len(opened.holder.taken) == 41, what="all who ask are taken")

        slow.sendall(request("SLOW")[41:])
        wait_until(lambda: "SLOW" in opened.gate.places.open(), what="the slow one is taken")


def test_three_hundred_silent_connections_do_not_lock_out_a_modality() -> None:
    with opened_gate(DoorLimits()) as opened, ExitStack() as stack:
        silent = [stack.enter_context(connected(opened.port)) for _ in range(300)]

        stack.enter_context(connected(opened.port, request()))

        wait_until(lambda: len(opened.holder.taken) == 1, what="the modality is taken")
        assert all(has_ended(one) for one in silent[: 300 - WAITING_LIMIT])


def test_a_connection_that_has_not_asked_in_time_is_closed() -> None:
    with opened_gate(DoorLimits(artim_seconds=0.3)) as opened:
        with connected(opened.port) as silent, connected(opened.port, request()[:20]) as slow:
            assert has_ended(silent)
            assert has_ended(slow)
        assert opened.holder.taken == []


def test_a_connection_that_ends_before_it_has_asked_is_forgotten() -> None:
    with opened_gate(DoorLimits()) as opened:
        with connected(opened.port, request()[:20]) as half:
            half.shutdown(socket.SHUT_WR)
            assert has_ended(half)
        with connected(opened.port) as reset:
            reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with connected(opened.port, request()):
            wait_until(lambda: len(opened.holder.taken) == 1, what="the next one is taken")
        assert opened.gate.places.open() == {"CT1": 1}


def test_what_cannot_be_served_is_closed_and_not_counted() -> None:
    with opened_gate(ONE_OF_EACH) as opened:
        opened.holder.taken = None  # type: ignore[assignment]
        with connected(opened.port, request()) as first:
            assert has_ended(first)
        opened.holder.taken = []

        with connected(opened.port, request()):
            wait_until(lambda: len(opened.holder.taken) == 1, what="the next one is taken")


def test_a_stopped_gate_closes_what_waits_and_takes_no_more() -> None:
    with opened_gate(DoorLimits()) as opened:
        silent = connected(opened.port)
        opened.gate.stop()

        assert has_ended(silent)
        silent.close()
        with pytest.raises(ConnectionRefusedError):
            connected(opened.port)
        opened.gate.start()
