"""Stamp a coded Data Set as it streams: a few elements are replaced, all other octets pass."""

import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_dataset

from archive.errors import DataSetUnreadable
from archive.view.character_sets import UNICODE, can_hold, coded, in_unicode, replaced
from archive.view.elements import Feed, Form, Place, Span, form_of, spans
from archive.view.stamp import STAMPED_KEYWORDS, stamp
from archive.view.stamping import Stamping, stamped_values
from archive.view.transcode import UNREADABLE
from archive.words.syntaxes import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN

Octets = Callable[[], Iterator[bytes]]
"""Opens the Data Set's octets anew at each call."""

_SPECIFIC_CHARACTER_SET = 0x00080005
_STAMPED = frozenset(tag_for_keyword(keyword) or 0 for keyword in STAMPED_KEYWORDS)
_HEADER_ENDS = max(_STAMPED) + 1
_TEXT_ENDS = 0x7FE00000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Header:
    """The elements up to a tag, and where the rest begins."""

    octets: bytes
    spans: tuple[Span, ...]
    end: int


def stamped(octets: Octets, transfer_syntax: str, stamping: Stamping) -> Iterator[bytes]:
    """Return the Data Set's octets with the stamp, in the same transfer syntax, as chunks.

    Everything is read through once before this returns, so what cannot be stamped is refused
    before the first octet leaves. Every element that the stamp does not name keeps its octets;
    group lengths (retired) of changed groups are left out. Only where the receiver's text does not
    fit the object's character set is all text coded anew, in ISO_IR 192.

    Raises:
        DataSetUnreadable: the coding is broken, private, or not in ascending order.
    """
    form = form_of(transfer_syntax)
    deflated = transfer_syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
    plain = partial(_inflated, octets) if deflated else octets
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header, end = _stamped_header(plain, form, stamping)
    except UNREADABLE as error:
        raise DataSetUnreadable("The object's identifiers cannot be coded anew.") from error
    chunks = _joined(header, plain(), end)
    return _deflate(chunks) if deflated else chunks


def _stamped_header(plain: Octets, form: Form, stamping: Stamping) -> tuple[bytes, int]:
    """Return the new header, and where in the old octets what follows it begins."""
    header = _read_header(plain(), form, _HEADER_ENDS)
    if _fits(header, form, stamping):
        return _restamp(header, form, stamping), header.end
    header = _read_header(plain(), form, _TEXT_ENDS)
    return _restamp(_recoded(header, form), form, stamping), header.end


def _read_header(chunks: Iterable[bytes], form: Form, until: int) -> _Header:
    """Return the elements before tag ``until``, having stepped over all that follow."""
    feed = Feed(chunks)
    found = tuple(spans(feed, form, until=until))
    place = Place(found[-1].end, found[-1].tag) if found else Place()
    octets = feed.octets(0, place.offset)
    if len(octets) < place.offset:
        raise DataSetUnreadable("The Data Set is cut off before its pixels.")
    feed.keeping = False
    for _ in spans(feed, form, place=place):
        pass
    return _Header(octets, found, place.offset)


def _recoded(header: _Header, form: Form) -> _Header:
    octets = in_unicode(header.octets, form)
    return _Header(octets, tuple(spans(Feed([octets]), form)), len(octets))


def _fits(header: _Header, form: Form, stamping: Stamping) -> bool:
    data_set = _parsed(header, frozenset({_SPECIFIC_CHARACTER_SET}), form)
    character_set = data_set.get("SpecificCharacterSet")
    return character_set == UNICODE or can_hold(_new_texts(stamping), character_set)


def _new_texts(stamping: Stamping) -> tuple[str, ...]:
    return (
        stamping.patient.mrn,
        stamping.patient.issuer.namespace,
        stamping.original.mrn,
        stamping.original.issuer.namespace,
        stamping.system,
        *stamped_values(stamping).values(),
    )


def _restamp(header: _Header, form: Form, stamping: Stamping) -> bytes:
    data_set = _parsed(header, _STAMPED | {_SPECIFIC_CHARACTER_SET}, form)
    stamp(data_set, stamping)
    new = coded(data_set, form)
    _check(new, data_set, form)
    return replaced(header.octets, _without_character_set(new, form), form)


def _without_character_set(octets: bytes, form: Form) -> bytes:
    kept = (span for span in spans(Feed([octets]), form) if span.tag != _SPECIFIC_CHARACTER_SET)
    return b"".join(octets[span.start : span.end] for span in kept)


def _parsed(header: _Header, tags: frozenset[int], form: Form) -> Dataset:
    chosen = (header.octets[span.start : span.end] for span in header.spans if span.tag in tags)
    return read_dataset(BytesIO(b"".join(chosen)), not form.explicit, not form.big)


def _check(octets: bytes, data_set: Dataset, form: Form) -> None:
    """Read the coded elements back: what was put in must come out."""
    again = read_dataset(BytesIO(octets), not form.explicit, not form.big)
    for element in data_set:
        if element.tag not in again or again[element.tag].value != element.value:
            raise ValueError(str(element.tag))


def _joined(header: bytes, chunks: Iterable[bytes], rest_at: int) -> Iterator[bytes]:
    yield header
    skip = rest_at
    for chunk in chunks:
        if skip < len(chunk):
            yield chunk[skip:]
        skip = max(0, skip - len(chunk))


def _inflated(octets: Octets) -> Iterator[bytes]:
    """Undo RFC 1951 compression as Annex A.5 of PS3.5 uses it, at most a chunk at a time."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in octets():
            waiting = chunk
            while waiting and not engine.eof:
                yield engine.decompress(waiting, _CHUNK)
                waiting = engine.unconsumed_tail
        yield engine.flush()
    except zlib.error as error:
        raise DataSetUnreadable("The deflated Data Set cannot be inflated.") from error


def _deflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Compress by RFC 1951, padded with a null to even length (PS3.5 Annex A.5)."""
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    length = 0
    for chunk in chunks:
        squeezed = engine.compress(chunk)
        length += len(squeezed)
        yield squeezed
    last = engine.flush()
    yield last + b"\0" * ((length + len(last)) % 2)
