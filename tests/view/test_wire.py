"""What leaves: the stored octets where they may, else what is proven to be the same image."""

from collections.abc import Iterator

import pytest

from archive.errors import NotAcceptable, PixelsDiffer
from archive.view import transcode
from archive.view.transcode import transcoded
from archive.view.wire import prepare
from tests.peers.corpus import corpus_files, needs_corpus
from tests.view.examples import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    STAMPING,
    image,
    instance,
    octets,
    opening,
    read,
)

JPEG_2000 = "1.2.840.10008.1.2.4.90"


def test_the_stored_octets_leave_untouched_and_unread() -> None:
    asked: list[bytes] = []

    def chunks() -> Iterator[bytes]:
        for chunk in (b"no data set", b" at all"):
            asked.append(chunk)
            yield chunk

    prepared = prepare(instance(), chunks, [IMPLICIT, EXPLICIT])

    assert (prepared.transfer_syntax, prepared.changed) == (EXPLICIT, False)
    assert asked == []
    assert list(prepared.chunks) == [b"no data set", b" at all"]


def test_any_syntax_takes_the_stored_one() -> None:
    prepared = prepare(instance("1.2.840.113619.5.2"), opening(b"x"), ["*"])

    assert (prepared.transfer_syntax, prepared.changed) == ("1.2.840.113619.5.2", False)


def test_a_stamped_object_leaves_in_its_own_syntax() -> None:
    content = octets(image(), BIG_ENDIAN)
    prepared = prepare(instance(BIG_ENDIAN, STAMPING), opening(content), [EXPLICIT, BIG_ENDIAN])

    assert (prepared.transfer_syntax, prepared.changed) == (BIG_ENDIAN, True)
    assert read(b"".join(prepared.chunks), BIG_ENDIAN).PatientID == "B9"


def test_another_native_syntax_holds_the_same_values() -> None:
    before = image(Rows=16, Columns=16)
    before.add_new(0x00091001, "UN", b"\x01\x02odd\x00")
    for stored, wanted in ((EXPLICIT, IMPLICIT), (IMPLICIT, EXPLICIT), (BIG_ENDIAN, EXPLICIT)):
        prepared = prepare(instance(stored), opening(octets(before, stored)), [wanted])

        after = read(b"".join(prepared.chunks), wanted)
        assert prepared.changed
        assert (after.Rows, after.PatientName) == (16, "Doe^Archibald")
        assert after[0x00091001].value == b"\x01\x02odd\x00"


def test_words_of_pixels_change_their_byte_order_with_the_syntax() -> None:
    before = image()
    before.PixelData = b"\x01\x02\x03\x04"

    after = read(transcoded(octets(before, BIG_ENDIAN), source=BIG_ENDIAN, target=EXPLICIT))

    assert after.PixelData == b"\x02\x01\x04\x03"


def test_a_stamp_survives_the_change_of_syntax() -> None:
    prepared = prepare(instance(EXPLICIT, STAMPING), opening(octets(image())), [IMPLICIT])

    assert read(b"".join(prepared.chunks), IMPLICIT).PatientID == "B9"


def test_what_nothing_decodes_is_not_acceptable() -> None:
    with pytest.raises(NotAcceptable):
        prepare(instance("1.2.840.10008.1.2.4.53"), opening(octets(image())), [EXPLICIT])
    with pytest.raises(NotAcceptable):
        prepare(instance("1.2.840.113619.5.2"), opening(octets(image())), [EXPLICIT])
    with pytest.raises(NotAcceptable):
        prepare(instance(), opening(octets(image())), [JPEG_2000])


def test_an_image_that_would_differ_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcode, "_is_same", lambda _stored, _made: False)

    with pytest.raises(PixelsDiffer):
        prepare(instance(), opening(octets(image())), [IMPLICIT])


@needs_corpus
@pytest.mark.parametrize("codec", ["J2KR", "JLSL", "RLE"])
def test_a_decompressed_image_is_the_stored_one_and_keeps_its_uid(codec: str) -> None:
    files = [one for one in corpus_files() if f"wg04/{codec}/CT1" in one.name]
    assert files
    for one in files:
        wire_object = one.on_the_wire().wire_object
        with wire_object.opened() as stream:
            content = stream.read()
        after = read(
            transcoded(content, source=wire_object.transfer_syntax, target=EXPLICIT), EXPLICIT
        )
        assert after.SOPInstanceUID == wire_object.sop_instance_uid
        assert len(after.PixelData) == after.Rows * after.Columns * 2
