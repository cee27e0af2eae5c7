"""MLLP framing (HL7 2.5 Appendix C.4.3) without a socket: octets in, events out.

A message stands between VT (0BH) and FS CR (1CH 0DH). An FS that neither a carriage return, a line
feed nor the next VT follows is content; an FS with nothing behind it ends the message once the
sender has been quiet, since some senders leave the carriage return out.
"""

from dataclasses import dataclass, field

VT = b"\x0b"
FS = b"\x1c"
CR = b"\r"

_BETWEEN = b"\r\n\t \x1c"
"""What senders leave between two messages and nobody means."""
_AFTER_FS = b"\r\n\x0b"
_HEAD_OCTETS = 4096
_RESTART = VT + b"MSH"


@dataclass(frozen=True, slots=True, repr=False)
class Framed:
    """One whole message, without its frame."""

    octets: bytes
    abandoned: int = 0
    """Octets of an unfinished message before it, which its sender gave up and began anew."""


@dataclass(frozen=True, slots=True, repr=False)
class Oversized:
    """A message that goes beyond the limit; nothing after it can be read any more."""

    head: bytes
    """Its beginning, enough for MSH."""


@dataclass(frozen=True, slots=True)
class Unframed:
    """Octets that no VT precedes; nothing after them can be read any more."""


Event = Framed | Oversized | Unframed


def framed(octets: bytes) -> bytes:
    """Return a message in its frame."""
    return VT + octets + FS + CR


@dataclass(slots=True)
class Framer:
    """Finds messages of at most ``limit`` octets in what one connection sends.

    After :class:`Oversized` or :class:`Unframed` it must not be fed again.
    """

    limit: int
    _buffer: bytearray = field(default_factory=bytearray, init=False, repr=False)
    _searched: int = field(default=0, init=False)

    @property
    def pending(self) -> int:
        """Octets of a message that has begun and not ended; 0 between messages."""
        return len(self._buffer)

    @property
    def may_be_whole(self) -> bool:
        """Whether only the carriage return after FS is missing."""
        return self._buffer.endswith(FS)

    def feed(self, octets: bytes) -> list[Event]:
        """Return what became whole with ``octets``, in order."""
        self._buffer += octets
        events: list[Event] = []
        while (event := self._next()) is not None:
            events.append(event)
            if not isinstance(event, Framed):
                break
        return events

    def quiet(self) -> Framed | None:
        """Return the message that only lacks the carriage return, now that nothing follows."""
        return self._taken(len(self._buffer) - 1) if self.may_be_whole else None

    def _next(self) -> Event | None:
        if self._searched == 0:
            self._skip_between()
        if not self._buffer:
            return None
        if not self._buffer.startswith(VT):
            return Unframed()
        end = self._end()
        if (end or len(self._buffer)) - 1 > self.limit:
            return Oversized(head=bytes(self._buffer[1:_HEAD_OCTETS]))
        return None if end is None else self._taken(end)

    def _skip_between(self) -> None:
        blank = len(self._buffer) - len(self._buffer.lstrip(_BETWEEN))
        del self._buffer[:blank]

    def _end(self) -> int | None:
        """Return where the FS stands that ends the message."""
        at = self._buffer.find(FS, self._searched)
        while 0 <= at < len(self._buffer) - 1:
            if self._buffer[at + 1] in _AFTER_FS:
                return at
            at = self._buffer.find(FS, at + 1)
        self._searched = len(self._buffer) if at < 0 else at
        return None

    def _taken(self, end: int) -> Framed:
        body = bytes(self._buffer[1:end])
        del self._buffer[: end + 1]
        self._searched = 0
        begun_anew = body.rfind(_RESTART)
        if begun_anew < 0:
            return Framed(body)
        return Framed(body[begun_anew + 1 :], abandoned=begun_anew)
