"""Whether a Data Set's Specific Character Set (0008,0005) can hold a text, and what if not."""

from collections.abc import Iterable, Iterator
from io import BytesIO

from pydicom import DataElement, Dataset
from pydicom.charset import convert_encodings, default_encoding
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from archive.errors import DataSetUnreadable
from archive.view.elements import Feed, Form, spans
from archive.view.sameness import same_elements

UNICODE = "ISO_IR 192"
"""Unicode in UTF-8 (PS3.3 Section C.12.1.1.2)."""

_LOST = "\ufffd"


def can_hold(texts: Iterable[str], character_set: object) -> bool:
    """Tell whether every text can be coded whole in one of the sets that (0008,0005) names.

    ``character_set`` is the element's value: a string, several, or nothing for ASCII.
    """
    encodings = _encodings(character_set)
    return all(any(_fits(text, encoding) for encoding in encodings) for text in texts)


def _encodings(character_set: object) -> list[str]:
    names = [character_set] if isinstance(character_set, str) else list(_several(character_set))
    found = convert_encodings(names) if any(names) else []
    # pydicom's default stands for ASCII; as a codec it would hold all of Latin-1.
    return ["ascii" if encoding == default_encoding else encoding for encoding in found] or [
        "ascii"
    ]


def _several(character_set: object) -> Iterator[str]:
    if isinstance(character_set, Iterable):
        yield from (str(name) for name in character_set)


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def in_unicode(octets: bytes, form: Form) -> bytes:
    """Return coded elements with every text in ISO_IR 192, all other values as they were.

    Where every text is ASCII, that is the new (0008,0005) alone; else texts are coded anew.

    Raises:
        DataSetUnreadable: a text cannot be read in the set that the Data Set names.
    """
    data_set = _read(octets, form)
    if all(text.isascii() for text in _texts(data_set)):
        named = Dataset()
        named.SpecificCharacterSet = UNICODE
        return replaced(octets, coded(named, form), form)
    data_set.decode()
    if any(_LOST in text for text in _texts(data_set)):
        raise DataSetUnreadable("A text is not in the character set that the Data Set names.")
    data_set.SpecificCharacterSet = UNICODE
    for nested in _nested(data_set):
        if "SpecificCharacterSet" in nested:
            nested.SpecificCharacterSet = UNICODE
    recoded = coded(data_set, form)
    if not same_elements(_read(octets, form), _read(recoded, form), frozenset()):
        raise DataSetUnreadable("Texts cannot be coded in Unicode without changing others.")
    return recoded


def replaced(octets: bytes, new: bytes, form: Form) -> bytes:
    """Return coded elements with the ``new`` ones in their places, all others as they lie.

    Group lengths (retired, PS3.5 Section 7.2) of changed groups are left out.
    """
    fresh = {span.tag: new[span.start : span.end] for span in spans(Feed([new]), form)}
    groups = {tag >> 16 for tag in fresh}
    kept = {
        span.tag: octets[span.start : span.end]
        for span in spans(Feed([octets]), form)
        if span.tag & 0xFFFF or span.tag >> 16 not in groups
    }
    merged = kept | fresh
    return b"".join(merged[tag] for tag in sorted(merged))


def _read(octets: bytes, form: Form) -> Dataset:
    return read_dataset(BytesIO(octets), not form.explicit, not form.big)


def coded(data_set: Dataset, form: Form) -> bytes:
    """Return the elements of a Data Set in one native coding."""
    target = DicomBytesIO()
    target.is_implicit_VR = not form.explicit
    target.is_little_endian = not form.big
    write_dataset(target, data_set)
    return target.getvalue()


def _nested(data_set: Dataset) -> Iterator[Dataset]:
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value or ():
                yield item
                yield from _nested(item)


def _texts(data_set: Dataset) -> Iterator[str]:
    for holder in (data_set, *_nested(data_set)):
        yield from (str(element.value) for element in holder if _is_text(element))


def _is_text(element: DataElement) -> bool:
    return element.VR in {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}
