"""What a node's HL7 door gets that is wrong: AA where it is HL7 at all, and a row for a person."""

import secrets
from dataclasses import replace

import pytest

from deploy.demo.pas import (
    Ack,
    ConnectionEnded,
    Feed,
    Identifier,
    Message,
    NoAnswer,
    Person,
    adt,
)
from tests.faults.objects import new_mrn
from tests.faults.tiers import Node
from tests.peers.processes import wait_until

ACCENTED = "Müller-Ångström^Zoë^Ælfgifu"


def person(**more: object) -> Person:
    told = {"mrn": new_mrn(), "authority": "RXA", "name": "Meldung^Minna", "birth_date": "19610203"}
    return Person(**{**told, "sex": "F", **more})  # type: ignore[arg-type]


def send(node: Node, message: Message | bytes) -> Ack:
    with node.pas() as pas:
        ack = pas.send(message)
    node.archive.wait_taken_in()
    return ack


def findings(node: Node, message: Message) -> set[str]:
    """Return the codes of the rows that an operator sees about a message."""
    rows = node.archive.rows("data_quality")
    return {str(row["code"]) for row in rows if f"|{message.control_id}|" in str(row["subject"])}


def journalled(node: Node, message: Message) -> int:
    """Return how often the octets of a message are in the journal."""
    return len(node.archive.rows("journal", kind="hl7", body=message.octets))


def patient(node: Node, of: Person) -> dict[str, object] | None:
    found = node.archive.rows("local_patient", mrn=of.mrn)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("NO_PID3", {"mrn": ""}),
        ("UNKNOWN_ISSUER", {"authority": "NOBODY-KNOWS"}),
        ("UNKNOWN_ISSUER", {"other_identifiers": (Identifier("77", "NOBODY-KNOWS", "MR"),)}),
        ("NHS_CHECK_DIGIT", {"nhs_number": "9990000001"}),
        ("NHS_MALFORMED", {"nhs_number": "999000"}),
        ("NHS_ENVIRONMENT", {"nhs_number": "4010232137"}),
        ("MRN_UNUSABLE", {"mrn": "M" * 65}),
        ("NO_NAME", {"name": ""}),
    ],
)
def test_content_that_a_person_must_see_is_accepted_kept_and_shown(
    lone_node: Node, code: str, more: dict[str, object]
) -> None:
    message = adt("A28", person(**more))

    ack = send(lone_node, message)

    assert (ack.code, ack.control_id) == ("AA", message.control_id)
    assert journalled(lone_node, message) == 1
    assert code in findings(lone_node, message)
    assert f"control_id='{message.control_id}'" in lone_node["receive"].said()


def test_a_wrong_check_digit_costs_the_nhs_number_and_not_the_patient(lone_node: Node) -> None:
    of = person(nhs_number="9990000001")

    send(lone_node, adt("A28", of))

    known = patient(lone_node, of)
    assert known is not None
    assert (known["name"], known["nhs_number"]) == ("Meldung^Minna", "")


@pytest.mark.parametrize("character_set", ["8859/1", "UNICODE UTF-8"])
def test_accents_arrive_in_the_character_set_that_the_message_names(
    lone_node: Node, character_set: str
) -> None:
    of = person(name=ACCENTED)
    message = adt("A28", of, feed=Feed(character_set=character_set))

    assert send(lone_node, message).code == "AA"

    known = patient(lone_node, of)
    assert known is not None
    assert known["name"] == ACCENTED
    assert findings(lone_node, message) == set()


@pytest.mark.parametrize(
    ("says", "is_in"), [("", "latin-1"), ("", "utf-8"), ("UNICODE UTF-8", "latin-1")]
)
def test_accents_in_a_set_that_is_not_named_are_accepted_and_the_doubt_is_shown(
    lone_node: Node, says: str, is_in: str
) -> None:
    of = person(name=ACCENTED)
    message = replace(adt("A28", of, feed=Feed(character_set=says)), codec=is_in)

    assert send(lone_node, message).code == "AA"

    assert "CHARSET" in findings(lone_node, message)
    known = patient(lone_node, of)
    assert known is not None
    assert str(known["name"]).startswith("M")
    assert journalled(lone_node, message) == 1


@pytest.mark.parametrize("at", [1, 40, -1])
def test_a_message_in_two_tcp_segments_is_one_message(lone_node: Node, at: int) -> None:
    of = person()
    message = adt("A28", of)

    with lone_node.pas() as pas:
        ack = pas.send_in_two(message, at=at if at > 0 else len(message.octets) + 2)
    lone_node.archive.wait_taken_in()

    assert (ack.code, ack.control_id) == ("AA", message.control_id)
    assert journalled(lone_node, message) == 1
    assert patient(lone_node, of) is not None


def test_half_a_message_and_silence_is_not_acknowledged_and_changes_nothing(
    lone_node: Node,
) -> None:
    of = person()
    message = adt("A28", of)
    half = len(message.octets) // 2

    with lone_node.pas() as pas:
        pas.send_octets(b"\x0b" + message.octets[:half])
        with pytest.raises((NoAnswer, ConnectionEnded)):
            pas.receive()

    whole = adt("A28", person())
    assert send(lone_node, whole).code == "AA"
    assert patient(lone_node, of) is None
    assert journalled(lone_node, message) == 0

    def is_told() -> bool:
        said = lone_node["receive"].said().splitlines()
        dropped = f"octets_dropped={half + 1}"  # with the start block
        return any("mllp.closed" in line and dropped in line for line in said)

    wait_until(is_told, what="a log line of the half message")


@pytest.mark.parametrize(
    "octets",
    [
        b"this is not HL7",
        b"PID|1||77^^^RXA^MR\rMSH|^~\\&|PAS|X\r",
        b"MSH",
        b"",
        b"\x00\x01\x02\x03" * 100,
    ],
)
def test_what_is_not_hl7_is_rejected_and_said(lone_node: Node, octets: bytes) -> None:
    marker = secrets.token_hex(4).encode()
    sent = octets + marker if octets and not octets.startswith(b"PID") else octets
    before = len(lone_node.archive.rows("journal"))

    assert send(lone_node, sent).code == "AR"

    assert len(lone_node.archive.rows("journal")) == before
    lines = lone_node["receive"].said().splitlines()
    assert any("code='AR'" in line and f"octets={len(sent)}" in line for line in lines)
    assert marker.decode() not in lone_node["receive"].said()


def test_the_door_goes_on_after_every_bad_message_on_the_same_connection(lone_node: Node) -> None:
    good = [adt("A28", person()) for _ in range(3)]

    with lone_node.pas() as pas:
        codes = [pas.send(one).code for one in (good[0], b"rubbish", good[1], b"MSH|", good[2])]

    assert codes == ["AA", "AR", "AA", "AR", "AA"]
    lone_node.archive.wait_taken_in()
    assert [journalled(lone_node, message) for message in good] == [1, 1, 1]


def test_the_same_message_twice_is_acknowledged_twice_and_takes_effect_once(
    lone_node: Node,
) -> None:
    of = person(nhs_number="9990000001")
    message = adt("A28", of)

    answers = [send(lone_node, message).code for _ in range(2)]

    assert answers == ["AA", "AA"]
    assert journalled(lone_node, message) == 1
    rows = lone_node.archive.rows("data_quality", code="NHS_CHECK_DIGIT")
    assert len([row for row in rows if f"|{message.control_id}|" in str(row["subject"])]) == 1


def test_a_merge_is_accepted_applied_to_nobody_and_shown(lone_node: Node) -> None:
    of = person()
    told = adt("A31", of)
    merge = replace(told, text=told.text.replace("ADT^A31^ADT_A05", "ADT^A40^ADT_A39"))

    assert send(lone_node, merge).code == "AA"

    assert findings(lone_node, merge) == {"MERGE_NOT_APPLIED"}
    assert patient(lone_node, of) is None
