"""Make one stored instance ready to leave: for this asker, in a syntax that the receiver takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from archive.errors import NotAcceptable
from archive.view.stamping import Stamping
from archive.words.objects import ObjectDigest

ANY_SYNTAX = "*"
"""Stands in a list of accepted transfer syntaxes for each and every one (PS3.18 Section 8.7.3)."""


class Leaving(Protocol):
    """What is known of an instance that leaves."""

    @property
    def digest(self) -> ObjectDigest:
        """The stored octets' digest, with their transfer syntax."""

    @property
    def stamping(self) -> Stamping | None:
        """What to stamp; None when the stored octets are the view."""


class Octets(Protocol):
    """Opens the stored Data Set's octets anew at each call."""

    def __call__(self) -> Iterator[bytes]:
        """Return an iterator over chunks from the first octet on."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The octets of a Data Set that may leave now."""

    transfer_syntax: str
    chunks: Iterator[bytes]
    changed: bool
    """Whether these are other octets than the stored ones."""


def prepare(leaving: Leaving, octets: Octets, accepted: Sequence[str]) -> Prepared:
    """Return the octets of the asker's view in an accepted transfer syntax.

    Where the view is the identity and the stored syntax is accepted, they are the stored octets,
    streamed and untouched. A stamp changes identifiers only; pixels keep their octets. Any other
    syntax is made natively, with pixel equality proven; what is refused is refused before the
    first chunk.

    Raises:
        NotAcceptable: no accepted transfer syntax can be made.
        PixelsDiffer: a transcoded image would not be the stored one.
        DataSetUnreadable: the object cannot be stamped without touching what must stay.
    """
    stored = leaving.digest.transfer_syntax
    syntax = _choose(stored, accepted)
    source = octets if syntax == stored else _transcoding(octets, stored, syntax)
    if leaving.stamping is None:
        return Prepared(syntax, source(), changed=syntax != stored)
    from archive.view.rewrite import stamped

    return Prepared(syntax, stamped(source, syntax, leaving.stamping), changed=True)


def _choose(stored: str, accepted: Sequence[str]) -> str:
    if stored in accepted or ANY_SYNTAX in accepted:
        return stored
    from archive.view.transcode import TARGETS

    for target in TARGETS:
        if target in accepted:
            return target
    raise NotAcceptable("No accepted transfer syntax can be made.", stored=stored)


def _transcoding(octets: Octets, stored: str, syntax: str) -> Octets:
    from archive.view.transcode import pieces, transcoded

    made = transcoded(b"".join(octets()), source=stored, target=syntax)
    return lambda: pieces(made)
