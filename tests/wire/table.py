"""PS3.8 Table 9-10 as printed, and what it lets an acceptor say to a sequence of events."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

STATES = range(1, 14)
EVENTS = range(1, 20)

_PRINTED = """
          1    2    3    4    5    6    7    8    9    10    11   12   13
Evt1   AE-1    .    .    .    .    .    .    .    .     .     .    .    .
Evt2      .    .    . AE-2    .    .    .    .    .     .     .    .    .
Evt3      . AA-1 AA-8    . AE-3 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8 AA-8 AA-6
Evt4      . AA-1 AA-8    . AE-4 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8 AA-8 AA-6
Evt5   AE-5    .    .    .    .    .    .    .    .     .     .    .    .
Evt6      . AE-6 AA-8    . AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8 AA-8 AA-7
Evt7      .    . AE-7    .    .    .    .    .    .     .     .    .    .
Evt8      .    . AE-8    .    .    .    .    .    .     .     .    .    .
Evt9      .    .    .    .    . DT-1    . AR-7    .     .     .    .    .
Evt10     . AA-1 AA-8    . AA-8 DT-2 AR-6 AA-8 AA-8  AA-8  AA-8 AA-8 AA-6
Evt11     .    .    .    .    . AR-1    .    .    .     .     .    .    .
Evt12     . AA-1 AA-8    . AA-8 AR-2 AR-8 AA-8 AA-8  AA-8  AA-8 AA-8 AA-6
Evt13     . AA-1 AA-8    . AA-8 AA-8 AR-3 AA-8 AA-8 AR-10  AR-3 AA-8 AA-6
Evt14     .    .    .    .    .    .    . AR-4 AR-9     .     . AR-4    .
Evt15     .    . AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1  AA-1  AA-1 AA-1    .
Evt16     . AA-2 AA-3    . AA-3 AA-3 AA-3 AA-3 AA-3  AA-3  AA-3 AA-3 AA-2
Evt17     . AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4  AA-4 AA-4 AR-5
Evt18     . AA-2    .    .    .    .    .    .    .     .     .    . AA-2
Evt19     . AA-1 AA-8    . AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8 AA-8 AA-7
"""

TABLE: Mapping[tuple[int, int], str] = {
    (event, state): action
    for event, line in zip(EVENTS, _PRINTED.strip().splitlines()[1:], strict=True)
    for state, action in zip(STATES, line.split()[1:], strict=True)
    if action != "."
}
"""Action by (event, state); a cell that is not here is one that cannot come about."""

ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, P_DATA_TF = 3, 4, 6, 10
RELEASE_RQ, RELEASE_RP, ABORT, CLOSED, UNRECOGNISED = 12, 13, 16, 17, 19
"""The events that a peer can bring about."""

UNEXPECTED_PDU = "A-ABORT 2/2"
UNRECOGNISED_PDU = "A-ABORT 2/1"
INVALID_PARAMETER = "A-ABORT 2/6"
BY_SERVICE_USER = "A-ABORT 0/0"
"""A-ABORT by source and reason (PS3.8 Table 9-26)."""

_ENDING = frozenset({"AA-2", "AA-3", "AA-4", "AA-5", "AR-5"})

Trace = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Acceptor:
    """An acceptor between two events."""

    state: int
    admits: bool = True
    """Whether its user will accept the association."""
    owed: int = 0
    """Responses that its user still has to send."""


def permitted(acceptor: Acceptor, *events: int) -> frozenset[Trace]:
    """Return everything that the table lets an acceptor say until the connection is at its end.

    Each P-DATA-TF counts as a whole request that is owed one response. The user's own primitives
    (association responses, P-DATA, release response) may come between any two events of the peer.
    In Sta13 the acceptor may close at any moment: its ARTIM timer is its own affair.
    """
    return frozenset(_traces(acceptor, events))


def _traces(at: Acceptor, events: Sequence[int]) -> Iterator[Trace]:
    waits_for_peer = True
    for said, then in _by_the_user(at):
        waits_for_peer = False
        yield from (said + rest for rest in _traces(then, events))
    if at.state in (1, 13) or (waits_for_peer and not events):
        yield ()
    if events and at.state != 1:
        said, then = _by_the_peer(at, events[0])
        yield from (said + rest for rest in _traces(then, events[1:]))


def _by_the_user(at: Acceptor) -> Iterator[tuple[Trace, Acceptor]]:
    if at.state == 3 and at.admits:
        yield ("A-ASSOCIATE-AC",), replace(at, state=6)
    elif at.state == 3:
        yield ("A-ASSOCIATE-RJ 1/1/3",), replace(at, state=13)
    elif at.owed and at.state in (6, 8):
        yield ("P-DATA-TF",), replace(at, owed=at.owed - 1)
    elif at.state == 8:
        yield ("A-RELEASE-RP",), replace(at, state=13)


def _by_the_peer(at: Acceptor, event: int) -> tuple[Trace, Acceptor]:
    action = TABLE[event, at.state]
    if action in _ENDING:
        return (), replace(at, state=1)
    said: Trace = {
        "AA-1": (BY_SERVICE_USER,),
        "AA-7": (UNRECOGNISED_PDU if event == UNRECOGNISED else UNEXPECTED_PDU,),
        "AA-8": (UNRECOGNISED_PDU if event == UNRECOGNISED else UNEXPECTED_PDU,),
    }.get(action, ())
    then = {"AE-6": 3, "DT-2": 6, "AR-2": 8}.get(action, 13)
    return said, replace(at, state=then, owed=at.owed + (action == "DT-2"))
