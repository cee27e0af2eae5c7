import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import MalformedMessage
from local_node.hl7.header import Feed, Marks, ensure_single, read_header

MSH = b"MSH|^~\\&|PAS^1.2^ISO|RXA|IMAGESTORE|REGION|20240501||ADT^A28^ADT_A05|42|T|2.5||||||8859/1"


def test_msh_is_read_by_its_numbers() -> None:
    header = read_header(MSH + b"\rPID|1\r")
    assert header.feed == Feed("PAS", "RXA")
    assert header.feed.name == "PAS|RXA"
    assert header.receiving_application == "IMAGESTORE"
    assert (header.kind, header.control_id) == ("ADT^A28", "42")
    assert (header.version, header.charset) == ("2.5", "8859/1")
    assert header.field(30) == ""


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n", b"\n\xef\xbb\xbf"])
def test_what_stands_before_msh_and_means_nothing_is_passed_over(before: bytes) -> None:
    assert read_header(before + MSH).control_id == "42"


def test_other_delimiters_are_the_senders_choice() -> None:
    header = read_header(b"MSH$%*!+$PAS$RXA$$$$$ADT%A01$7$P$2.3")
    assert header.marks == Marks("$", "%", "*", "!", "+")
    assert (header.kind, header.control_id) == ("ADT^A01", "7")


@pytest.mark.parametrize("msh_2", [b"^", b"^~", b"^~\\", b"^~\\&", b"^~\\&#", b""])
def test_delimiters_that_are_left_out_are_the_usual_ones(msh_2: bytes) -> None:
    assert read_header(b"MSH|" + msh_2 + b"|PAS|RXA").marks == Marks()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"MS",
        b"MSH",
        b"MSH|",
        b"MSH|^~\\&",
        b"PID|1||4711",
        b"GET / HTTP/1.1",
        b"MSHA^~\\&APAS",
        b"MSH|^^\\&|PAS|RXA",
        b"MSH|~|PAS",
        b"MSH|^~\\&#+|PAS",
        b"MSH\r^~\\&\rPAS",
        bytes(range(256)),
        b"BHS|^~\\&|PAS\rMSH|^~\\&|PAS",
    ],
)
def test_what_is_not_hl7_by_its_msh_is_refused(octets: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_header(octets)


def test_two_messages_in_one_frame_are_refused() -> None:
    octets = MSH + b"\r" + MSH + b"\r"
    with pytest.raises(MalformedMessage):
        ensure_single(octets, read_header(octets))
    ensure_single(MSH, read_header(MSH))


def test_a_feed_fits_the_source_table() -> None:
    assert len(Feed("A" * 60, "B" * 60).name) == 64


def test_a_control_id_is_printable_and_bounded() -> None:
    header = read_header("MSH|^~\\&|||||||ADT^A01|é\tx {}%s".encode() + b"9" * 500)
    assert header.control_id.isascii()
    assert header.control_id.isprintable()
    assert len(header.control_id) == 80


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    for candidate in (octets, b"MSH|^~\\&|" + octets, b"MSH" + octets):
        try:
            header = read_header(candidate)
        except MalformedMessage:
            continue
        assert len(header.feed.name) <= 64
        assert header.kind.isascii()
