from contextlib import suppress

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.errors import MalformedMessage
from local_node.hl7.header import Marks
from local_node.hl7.message import read_message
from local_node.hl7.segments import read_structure, told, unescape

HEAD = "MSH|^~\\&|PAS|RXA|||||ADT^A28|1|P|2.5||||||UNICODE UTF-8\r"


def message(*segments: str) -> bytes:
    return (HEAD + "\r".join(segments) + "\r").encode()


def test_fields_repeats_components_and_subcomponents_are_numbered_from_one() -> None:
    pid = read_structure(message("PID|1||a^b^c&d&e~f^g|x")).first("PID")
    assert pid is not None
    first, second = pid.repeats(3)
    assert [first.part(1), first.part(2), first.part(3), first.part(3, 3)] == ["a", "b", "c", "e"]
    assert second.part(2) == "g"
    assert [pid.part(4), pid.part(5), pid.part(4, 2), pid.part(4, 1, 2)] == ["x", "", "", ""]


def test_a_repeat_that_is_empty_is_no_repeat() -> None:
    pid = read_structure(message("PID|1||~a~ ~b~")).first("PID")
    assert pid is not None
    assert [repeat.part(1) for repeat in pid.repeats(3)] == ["a", "b"]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_segments_end_as_their_sender_ends_them(end: str) -> None:
    octets = end.join([HEAD.strip(), "EVN|A28", "", "PID|1||7", ""]).encode()
    structure = read_structure(octets)
    assert [segment.name for segment in structure.segments] == ["EVN", "PID"]


def test_a_line_feed_inside_a_field_stays_where_segments_end_with_carriage_returns() -> None:
    obx = read_structure(message("OBX|1|TX|||one\ntwo")).first("OBX")
    assert obx is not None
    assert obx.repeats(5)[0].prose() == "one\ntwo"


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f"),
        ("one\\.br\\two\\.sp2\\three", "one\ntwo\n\nthree"),
        ("\\H\\bold\\N\\", "bold"),
        ("\\X41C3A9\\", "Aé"),
        ("in\\.in+3\\dent", "in   dent"),
        ("\\.fi\\x\\.nf\\", "x"),
        ("C:\\temp\\file", "C:\\temp\\file"),
        ("a\\ b \\F\\ c", "a\\ b | c"),
        ("open \\F end", "open \\F end"),
        ("\\C2842\\\\M2442\\x", "x"),
        ("\\.sp999999\\", "\n" * 100),
        ("\\", "\\"),
    ],
)
def test_escape_sequences_are_resolved_and_the_rest_stays(escaped: str, plain: str) -> None:
    assert unescape(escaped, Marks(), "utf-8") == plain


def test_an_escaped_delimiter_does_not_delimit() -> None:
    pid = read_structure(message("PID|1||a\\S\\b^c")).first("PID")
    assert pid is not None
    assert (pid.part(3), pid.part(3, 2)) == ("a^b", "c")


def test_control_characters_leave_a_value_and_prose_keeps_its_lines() -> None:
    obx = read_structure(message("OBX|1|TX|||a\\.br\\b\\X07\\")).first("OBX")
    assert obx is not None
    assert obx.part(5) == "a b"
    assert obx.repeats(5)[0].prose() == "a\nb\x07"


def test_null_and_nothing_are_told_apart() -> None:
    assert [told(""), told('""'), told("x")] == [None, "", "x"]


FIELD = st.text(alphabet="ab1^&~ é\\", max_size=20)


@given(st.lists(FIELD, min_size=1, max_size=8))
@settings(deadline=None)
def test_an_independent_reader_finds_the_same_parts(fields: list[str]) -> None:
    octets = message("|".join(["PID", *fields]))
    theirs = hl7.parse(octets.decode()).segment("PID")
    ours = read_structure(octets).first("PID")
    assert ours is not None
    for number in range(1, len(theirs)):
        expected = [str(repeat) for repeat in str(theirs[number]).split("~") if str(repeat).strip()]
        assert [repeat.text.strip() for repeat in ours.repeats(number)] == [
            repeat.strip() for repeat in expected
        ]


@given(st.binary(max_size=300))
def test_what_is_hl7_by_its_msh_is_read_without_an_error(octets: bytes) -> None:
    for head in (b"MSH|^~\\&|", HEAD.encode(), HEAD.encode() + b"PID|", HEAD.encode() + b"OBX|"):
        with suppress(MalformedMessage):  # a second MSH, by chance
            assert read_message(head + octets).header.marks == Marks()


def test_a_message_of_many_megabytes_is_read_without_splitting_it() -> None:
    document = "|" * 2_000_000 + "^" * 2_000_000
    read = read_message(message(f"PID|1||7^^^RXA^MR|{document}", f"OBX|1|ED|||{document}"))
    assert read.patient is not None
    assert [identifier.number for identifier in read.patient.identifiers] == ["7"]
