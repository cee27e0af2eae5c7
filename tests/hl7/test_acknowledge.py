from datetime import UTC, datetime

import pytest

from local_node.hl7.acknowledge import (
    ACCEPTED,
    AckCode,
    ErrorCode,
    Verdict,
    acknowledgement,
)
from local_node.hl7.header import Header, read_header

AT = datetime(2024, 5, 1, 12, 30, 15, tzinfo=UTC)
ERROR = Verdict(AckCode.ERROR, "The disk | is full.", ErrorCode.INTERNAL)
REJECT = Verdict(AckCode.REJECT, "No MSH.", ErrorCode.SEGMENT_SEQUENCE)


def header(text: str, codec: str = "ascii") -> Header:
    return read_header(text.encode(codec))


def answer(to: Header | None, verdict: Verdict = ACCEPTED) -> list[list[str]]:
    octets = acknowledgement(to, verdict, at=AT)
    codec = to.codec if to else "ascii"
    mark = to.marks.field if to else "|"
    return [line.split(mark) for line in octets.decode(codec).split("\r")[:-1]]


def test_the_answer_turns_sender_and_receiver_round() -> None:
    msh, msa = answer(header("MSH|^~\\&|PAS|RXA|IMG|REG|2024||ADT^A28^ADT_A05|42|T|2.5"))
    assert msh[:6] == ["MSH", "^~\\&", "IMG", "REG", "PAS", "RXA"]
    assert msh[6] == "20240501123015+0000"
    assert msh[8] == "ACK^A28^ACK"
    assert msh[10:] == ["T", "2.5"]
    assert msa == ["MSA", "AA", "42"]


def test_every_answer_has_a_control_id_of_its_own() -> None:
    asked = header("MSH|^~\\&|PAS|RXA|||||ADT^A28|42|P|2.5")
    ids = {answer(asked)[0][9] for _ in range(100)}
    assert len(ids) == 100
    assert all(0 < len(control_id) <= 20 for control_id in ids)


def test_the_control_id_is_given_back_octet_for_octet() -> None:
    asked = header("MSH|^~\\&|PAS|RXA|||||ADT^A28| é\\F\\42 |P|2.5||||||8859/1", "latin-1")
    octets = acknowledgement(asked, ACCEPTED, at=AT)
    assert b"\rMSA|AA| \xe9\\F\\42 \r" in octets


@pytest.mark.parametrize(
    ("declared", "codec"), [("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8"), ("", "utf-8")]
)
def test_the_answer_is_in_the_senders_character_set(declared: str, codec: str) -> None:
    asked = header(f"MSH|^~\\&|PAS|Köln|||||ADT^A28|42|P|2.5||||||{declared}", codec)
    octets = acknowledgement(asked, ACCEPTED, at=AT)
    assert "|Köln|" in octets.decode(codec)
    assert octets.decode(codec).split("\r")[0].endswith(declared or "2.5")


def test_the_answer_is_in_the_senders_delimiters() -> None:
    asked = header("MSH$%*!+$PAS$RXA$$$$$ADT%A01$7$P$2.5")
    msh, msa, err = answer(asked, Verdict(AckCode.ERROR, "10 $ + 5 %", ErrorCode.INTERNAL))
    assert msh[1] == "%*!+"
    assert msh[8] == "ACK%A01%ACK"
    assert msa == ["MSA", "AE", "7", "10 !F! !T! 5 !S!"]
    assert err[3] == "207%Application internal error%HL70357"


def test_an_error_says_why_in_msa_and_err() -> None:
    _, msa, err = answer(header("MSH|^~\\&|PAS|RXA|||||ADT^A28|42|P|2.5"), ERROR)
    assert msa == ["MSA", "AE", "42", "The disk \\F\\ is full."]
    assert err[3:5] == ["207^Application internal error^HL70357", "E"]
    assert err[8] == "The disk \\F\\ is full."


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.3.1", "2.4"])
def test_older_senders_get_the_older_err(version: str) -> None:
    _, _, err = answer(header(f"MSH|^~\\&|PAS|RXA|||||ADT^A28|42|P|{version}"), ERROR)
    assert err == ["ERR", "^^^207&Application internal error&HL70357"]


def test_what_has_no_header_is_answered_with_the_usual_delimiters() -> None:
    msh, msa, err = answer(None, REJECT)
    assert msh[:3] == ["MSH", "^~\\&", "IMAGESTORE"]
    assert msh[8] == "ACK"
    assert msh[10:] == ["P", "2.5"]
    assert msa == ["MSA", "AR", "", "No MSH."]
    assert err[3].startswith("100^")


def test_an_answer_can_be_read_by_the_same_reader() -> None:
    asked = header("MSH|^~\\&|PAS|RXA|IMG|REG|2024||ADT^A28^ADT_A05|42|T|2.5")
    read = read_header(acknowledgement(asked, ERROR, at=AT))
    assert read.is_acknowledgement
    assert (read.feed.name, read.receiving_application) == ("IMG|REG", "PAS")
