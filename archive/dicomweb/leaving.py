"""Instances on their way out of the HTTP door: in which syntax, as Part 10 octets, written down."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from archive.dicomweb.accept import Acceptable, takes_anything
from archive.errors import DataSetUnreadable, NotAcceptable, NotFound, NotYetHeld, PixelsDiffer
from archive.index.header import Elsewhere
from archive.reader import Outgoing, Reader, Selection
from archive.store.part10 import file_meta
from archive.view.wire import Prepared, prepare
from archive.words.identity import Asker
from archive.words.objects import ObjectDigest
from archive.words.syntaxes import LOSSLESS_COMPRESSED, NATIVE

_REMEMBERED = 4096

_ENCAPSULATED = "1.2.840.10008.1.2.4."
"""Root of the Standard's syntaxes for compressed pixels (PS3.6 Table A-1)."""


class Failures:
    """What could not be made ready before: the newest so many, for as long as the process lives.

    That an instance can be decoded or stamped is known only when it has been tried, and then a
    body may have begun. It is broken off once; asked again, the answer leaves the instance out
    and says so.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[_Attempt, None] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, attempt: "_Attempt") -> None:
        """Note that an attempt has failed."""
        with self._lock:
            self._known[attempt] = None
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def __contains__(self, attempt: "_Attempt") -> bool:
        with self._lock:
            return attempt in self._known


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What was tried: these octets, stamped or not, as stored or decoded."""

    digest: ObjectDigest
    is_stamped: bool
    as_stored: bool


@dataclass(frozen=True, slots=True)
class Leaving:
    """What one caller gets of a selection."""

    reader: Reader
    asker: Asker
    acceptable: Acceptable
    failures: Failures

    def sendable(self, chosen: list[Outgoing]) -> list[Outgoing]:
        """Return those that can be given in an accepted transfer syntax, and never failed to be.

        Where all of them failed before they are returned all the same: the error says why.

        Raises:
            NotAcceptable: none of them can.
        """
        fitting = [outgoing for outgoing in chosen if self._fits(outgoing)]
        if not fitting:
            raise NotAcceptable(
                "No accepted transfer syntax can be made of what is stored.",
                stored=sorted({outgoing.digest.transfer_syntax for outgoing in chosen}),
            )
        promising = [each for each in fitting if self._attempt(each) not in self.failures]
        return promising or fitting

    def prepared(self, outgoing: Outgoing) -> Prepared:
        """Return one instance's Data Set, ready to leave, and write its delivery down.

        Written before the first octet goes: what comes back is then known, come what may.

        Raises:
            NotAcceptable, PixelsDiffer, DataSetUnreadable: it cannot be made ready.
            NotFound, StorageFailed, DatabaseUnavailable: it cannot be read.
        """
        try:
            ready = prepare(
                outgoing, lambda: self.reader.data_set(outgoing), self._accepted(outgoing)
            )
        except (NotAcceptable, PixelsDiffer, DataSetUnreadable):
            self.failures.remember(self._attempt(outgoing))
            raise
        self.reader.note_delivery(self.asker, outgoing, destination=self.asker.who, means="WADO")
        return ready

    def _attempt(self, outgoing: Outgoing) -> _Attempt:
        return _Attempt(
            digest=outgoing.digest,
            is_stamped=outgoing.stamping is not None,
            as_stored=self._takes_as_stored(outgoing),
        )

    def _takes_as_stored(self, outgoing: Outgoing) -> bool:
        accepted = self._accepted(outgoing)
        return takes_anything(self.acceptable) or outgoing.digest.transfer_syntax in accepted

    def _accepted(self, outgoing: Outgoing) -> tuple[str, ...]:
        """Return what is accepted of one instance: lossy pixels stay as they are by default.

        PS3.18 Section 8.7.3.4 excepts them from the default transfer syntax.
        """
        stored = outgoing.digest.transfer_syntax
        if self.acceptable.by_default and _is_lossy(stored):
            return (*self.acceptable.syntaxes, stored)
        return self.acceptable.syntaxes

    def _fits(self, outgoing: Outgoing) -> bool:
        if outgoing.stamping is not None and not _can_be_stamped(outgoing.digest.transfer_syntax):
            return False
        if self._takes_as_stored(outgoing):
            return True
        can_be_decoded = _can_be_made_native(outgoing.digest.transfer_syntax)
        return can_be_decoded and _makes_one_of(self._accepted(outgoing))


def select_held(reader: Reader, asker: Asker, selection: Selection) -> list[Outgoing]:
    """Return the instances of a selection, of which every octet is here.

    Raises:
        NotFound: the asker finds nothing of that name.
        NotYetHeld: some are announced and on their way; an answer without them would look whole.
    """
    chosen = reader.select(asker, selection)
    if not chosen:
        raise NotFound("No such study, series or instance.")
    missing = sum(isinstance(outgoing.location, Elsewhere) for outgoing in chosen)
    if missing:
        raise NotYetHeld(f"{missing} of {len(chosen)} instances are announced and on their way.")
    return chosen


def part10(outgoing: Outgoing, prepared: Prepared) -> Iterator[bytes]:
    """Yield a prepared instance as a file, in chunks (PS3.10 Section 7)."""
    yield file_meta(
        sop_class_uid=outgoing.sop_class_uid,
        sop_instance_uid=outgoing.sop_instance_uid,
        transfer_syntax=prepared.transfer_syntax,
        calling_ae="",
        called_ae="",
    )
    yield from prepared.chunks


def _is_lossy(syntax: str) -> bool:
    return syntax.startswith(_ENCAPSULATED) and syntax not in LOSSLESS_COMPRESSED


def _can_be_stamped(syntax: str) -> bool:
    from archive.view.elements import form_of

    try:
        form_of(syntax)
    except DataSetUnreadable:
        return False
    return True


def _makes_one_of(accepted: tuple[str, ...]) -> bool:
    from archive.view.transcode import TARGETS

    return any(target in accepted for target in TARGETS)


@lru_cache(maxsize=128)
def _can_be_made_native(syntax: str) -> bool:
    """Tell whether what is stored in ``syntax`` can be decoded here at all."""
    if syntax in NATIVE:
        return True
    from pydicom.pixels.decoders.base import get_decoder

    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False
