"""A result on an association of our own: acknowledged, or an error that says what the peer did."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pynetdicom import AE

from archive.dimse.peers import Destination
from archive.dimse.reporting import Reporter
from archive.errors import PeerDeclined, PeerUnreachable
from archive.words.commitment import (
    CommitmentResult,
    FailureReason,
    Judgement,
    Referenced,
)
from tests.commitment.house import CT_ITEM
from tests.commitment.modality import PUSH_MODEL, CommitmentScu
from tests.peers.processes import LOOPBACK, Endpoint, free_port

PROCESSING_FAILURE, ATTRIBUTE_LIST_WARNING = 0x0110, 0x0107
GOOD, BAD = Referenced(*CT_ITEM), Referenced(CT_ITEM[0], "1.2.3.1.2")
RESULT = CommitmentResult(
    "1.2.9", (Judgement(GOOD), Judgement(BAD, FailureReason.PROCESSING_FAILURE, "QUARANTINED"))
)


def report(port: int) -> None:
    destination = Destination(ae_title="CT1", host=LOOPBACK, port=port)
    Reporter("RXA").report(destination, RESULT)


@pytest.fixture
def ct1() -> CommitmentScu:
    return CommitmentScu("CT1", Endpoint(LOOPBACK, 0, "RXA"))


@contextmanager
def listening(entity: AE) -> Iterator[int]:
    server = entity.start_server((LOOPBACK, 0), block=False)
    assert server is not None
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()


def test_a_result_names_what_is_committed_from_where_and_what_failed_why(
    ct1: CommitmentScu,
) -> None:
    with ct1.listening() as port:
        report(port)

    told = ct1.hear()
    assert (told.event_type, told.transaction_uid) == (2, "1.2.9")
    assert told.committed == {GOOD.sop_instance_uid}
    assert told.retrieve_aes == {"RXA"}
    assert told.failed == {BAD.sop_instance_uid: PROCESSING_FAILURE}


def test_a_warning_acknowledges(ct1: CommitmentScu) -> None:
    ct1.answer.append(ATTRIBUTE_LIST_WARNING)
    with ct1.listening() as port:
        report(port)


def test_a_failure_status_declines(ct1: CommitmentScu) -> None:
    ct1.answer.append(PROCESSING_FAILURE)
    with ct1.listening() as port, pytest.raises(PeerDeclined, match="0110H"):
        report(port)


def test_a_peer_that_does_not_take_the_class_declines() -> None:
    entity = AE("CT1")
    entity.add_supported_context("1.2.840.10008.1.1")
    with listening(entity) as port, pytest.raises(PeerDeclined, match="class"):
        report(port)


def test_a_peer_that_grants_no_scp_role_declines() -> None:
    """It accepts the class and says nothing of roles: then we are its SCU (PS3.7 D.3.3.4)."""
    entity = AE("CT1")
    entity.add_supported_context(PUSH_MODEL)
    with listening(entity) as port, pytest.raises(PeerDeclined, match="role"):
        report(port)


def test_a_peer_that_rejects_us_declines() -> None:
    entity = AE("CT1")
    entity.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)
    entity.require_calling_aet = ["SOMEBODY"]
    with listening(entity) as port, pytest.raises(PeerDeclined, match="rejected"):
        report(port)


def test_a_peer_that_is_away_is_unreachable() -> None:
    with pytest.raises(PeerUnreachable):
        report(free_port())


def test_a_peer_that_hangs_up_is_unreachable() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        server.listen(0)
        port = server.getsockname()[1]
        server.close()
        with pytest.raises(PeerUnreachable):
            report(port)


def test_a_peer_that_aborts_instead_of_answering_is_unreachable(ct1: CommitmentScu) -> None:
    with ct1.listening() as port:
        ct1.on_hearing = [ct1.abort_all]
        with pytest.raises(PeerUnreachable):
            report(port)
