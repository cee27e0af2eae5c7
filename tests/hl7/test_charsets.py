import pytest

from local_node.hl7.charsets import CODECS, decode, iana_name

NAME = "Müller-Sørensen"


@pytest.mark.parametrize(
    ("declared", "encoded", "codec"),
    [
        ("UNICODE UTF-8", "utf-8", "utf-8"),
        ("8859/1", "latin-1", "latin-1"),
        ("8859/15", "iso8859-15", "iso8859-15"),
        ("8859/9", "iso8859-9", "iso8859-9"),
        ("unicode utf-8", "utf-8", "utf-8"),
    ],
)
def test_a_true_declaration_is_followed_without_doubt(
    declared: str, encoded: str, codec: str
) -> None:
    decoded = decode(NAME.encode(encoded), declared)
    assert (decoded.text, decoded.codec, decoded.doubt) == (NAME, codec, "")


@pytest.mark.parametrize("encoded", ["utf-8", "latin-1"])
@pytest.mark.parametrize("declared", ["", "ASCII", "NO SUCH SET", "UNICODE UTF-8", "8859/1"])
def test_accents_come_out_right_whatever_is_declared(declared: str, encoded: str) -> None:
    decoded = decode(NAME.encode(encoded), declared)
    assert decoded.text == NAME
    honest = (declared, encoded) in {("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1")}
    assert bool(decoded.doubt) is not honest


def test_ascii_is_never_doubted() -> None:
    for declared in ("", "ASCII", "NO SUCH SET", *CODECS):
        assert decode(b"MSH|^~\\&|PAS", declared).doubt == ""


def test_windows_letters_in_latin_1_are_letters() -> None:
    assert decode(b"O\x92Brien \x96 \xe9", "8859/1").text == "O’Brien – é"


def test_every_octet_sequence_can_be_decoded() -> None:
    every = bytes(range(256))
    for declared in ("", *CODECS):
        assert decode(every, declared).text
    assert decode(every, "").text.encode("latin-1") == every


def test_a_doubt_tells_nothing_of_the_content() -> None:
    doubt = decode(NAME.encode(), "8859/1").doubt
    assert doubt
    assert "ller" not in doubt


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("ascii", "us-ascii"),
        ("latin-1", "iso-8859-1"),
        ("iso8859-15", "iso-8859-15"),
        ("utf-8", "utf-8"),
    ],
)
def test_codecs_have_the_names_that_http_knows(codec: str, name: str) -> None:
    assert iana_name(codec) == name
