"""Files that others made, as they would come from the wire, and ways to spoil them."""

import functools
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
from hypothesis import strategies as st

from archive.index.header import Loose
from archive.intake.fast_scan import find_elements
from archive.intake.scan import Measured
from archive.reader import Octets
from archive.store.segment import Envelope
from deploy.demo.wire_object import NotSendable, WireObject
from tests.intake.house import MovedClock, envelope, octets_of
from tests.intake.samples import EXPLICIT, IMPLICIT
from tests.peers.corpus import MANIFEST, corpus_files

BUNDLED = Path(pydicom.__file__).parent / "data"

_SYNTAXES = (EXPLICIT, IMPLICIT)
_LONGEST = 64 * 1024


class InMemory:
    """A spool that holds one Data Set."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def read(self, _name: str, *, offset: int, length: int) -> Iterator[bytes]:
        for at in range(offset, offset + length, 1 << 20):
            yield self.octets[at : min(at + (1 << 20), offset + length)]


def lying(octets: bytes) -> tuple[Octets, Measured]:
    """Return stored octets that are one Data Set, and where they lie."""
    location = Loose("", 0, len(octets), 0)
    return Octets(InMemory(octets), None), Measured(location, b"", len(octets))  # type: ignore[arg-type]


def said_of(one: WireObject) -> Envelope:
    return envelope(one, at=MovedClock().now())


def real_objects() -> Iterator[tuple[str, WireObject]]:
    """Yield the shared files, where they are, and those that pydicom brings along."""
    if MANIFEST.is_file():
        for file in corpus_files():
            yield file.name, file.on_the_wire().wire_object
    yield from _bundled()


@functools.cache
def small_objects() -> tuple[WireObject, ...]:
    """Return what pydicom brings along, octets in memory, for changing."""
    in_memory = (replace(one, data_set=octets_of(one)) for _, one in _bundled())
    return tuple(
        one
        for one in in_memory
        if one.transfer_syntax in _SYNTAXES and len(octets_of(one)) < _LONGEST
    )


def _bundled() -> Iterator[tuple[str, WireObject]]:
    for path in sorted(BUNDLED.glob("*_files/**/*")):
        if path.is_file():
            try:
                yield path.name, WireObject.from_file(path)
            except NotSendable:
                continue


@st.composite
def spoiled(draw: st.DrawFn) -> WireObject:
    """Draw an object whose octets were changed, cut, doubled or taken away here and there."""
    one = draw(st.sampled_from(small_objects()))
    octets = bytearray(octets_of(one))
    for at, gone, new in draw(_edits(one)):
        octets[at : at + gone] = new
    if not draw(st.integers(0, 5)):
        del octets[draw(st.integers(0, len(octets))) :]
    syntax = draw(st.sampled_from((*[one.transfer_syntax] * 9, *_SYNTAXES)))
    return replace(one, data_set=bytes(octets), transfer_syntax=syntax)


def _edits(one: WireObject) -> st.SearchStrategy[list[tuple[int, int, bytes]]]:
    """Return places, how much is taken away there, and what is put there instead.

    Most stay inside a value, so that the coding around it holds; some are anywhere.
    """
    octets = octets_of(one)
    found = find_elements(octets, size=len(octets), transfer_syntax=one.transfer_syntax)
    values = [(at, end - at) for *_, at, end in found.found if end > at] if found else []
    inside = st.sampled_from(values or [(0, len(octets))]).flatmap(_inside)
    anywhere = st.tuples(st.integers(0, len(octets)), st.integers(0, 9), _REPLACEMENTS)
    return st.lists(st.one_of(inside, inside, inside, inside, anywhere), max_size=4)


def _inside(value: tuple[int, int]) -> st.SearchStrategy[tuple[int, int, bytes]]:
    at, length = value
    return _REPLACEMENTS.map(lambda new: (at, len(new[:length]), new[:length]))


_REPLACEMENTS = st.one_of(
    st.binary(max_size=16),
    st.text('0123456789+-.eE \\^="', max_size=16).map(str.encode),
    st.sampled_from(
        [
            b"\xff\xff\xff\xff",
            b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
            b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
            b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
            b"UN\x00\x00\xff\xff\xff\xff",
            b"SQ\x00\x00\xff\xff\xff\xff",
            b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 192",
            b"\x1b$B",
            b"\x00\x00\x00\x00\x00\x00\x00\x00",
            "é\\=^~".encode(),
        ]
    ),
)
"""What is met where it should not be: lengths, delimiters, VRs, character sets."""


def quietly() -> "warnings.catch_warnings[None]":
    return warnings.catch_warnings(action="ignore")
