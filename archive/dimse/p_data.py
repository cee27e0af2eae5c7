"""P-DATA-TF PDUs of one association, read straight into messages (PS3.8 Section 9.3.5, Annex E).

The hot path. Data Set octets of a C-STORE go from the socket into one buffer and from there to the
disk; nothing of them is decoded. All other messages are handed to pynetdicom fragment by fragment.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

from archive.dimse import commands
from archive.dimse.receive import Incoming, StoreAnswer, StoreRequest
from archive.dimse.wire import Wire
from archive.errors import MalformedMessage

P_DATA_TF = 0x04
COMMAND, LAST = 0x01, 0x02
"""Bits of a Message Control Header (PS3.8 Section E.2)."""

BUFFER_BYTES = 8 * 1024 * 1024
"""Data Set octets held in memory; a longer Data Set streams to the disk."""

_PDU = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_NEXT = _PDU.size + _PDV.size
_FIRST_BYTES = 1024 * 1024
_PART_BYTES = 2 * 1024 * 1024
"""Octets after which a streaming Data Set goes on to the disk: it writes while more comes."""
_MESSAGE_LIMIT = 16 * 1024 * 1024
"""Octets of a message that is not a C-STORE: identifiers have a few hundred."""
_TAKEN_AT_ONCE = 4 * 1024


class Malformed(Exception):
    """What came breaks PS3.8 or PS3.7 so that the association is aborted."""


class Messages(Protocol):
    """What becomes of the messages of one association."""

    def accepts(self, context_id: int) -> bool:
        """Tell whether a presentation context was accepted."""

    def incoming(self, request: StoreRequest) -> Incoming:
        """Return where the Data Set of a C-STORE goes, when what came before it is answered.

        Raises:
            ConnectionEnded: the association is to end first.
        """

    def answer(self, request: StoreRequest, answer: StoreAnswer) -> None:
        """Send the C-STORE response.

        Raises:
            ConnectionEnded: it cannot be sent.
        """

    def fragment(self, context_id: int, value: bytes) -> bool:
        """Take a fragment of any other message; tell whether the message goes on.

        Raises:
            MalformedMessage: the message cannot be read.
        """


@dataclass(slots=True)
class _Fragment:
    """One PDV, its value not read yet."""

    context_id: int
    length: int
    last: bool
    ends_pdu: bool


class PDataReader:
    """Reads PDUs for as long as they are P-DATA-TF."""

    def __init__(self, wire: Wire, messages: Messages, *, maximum_length: int) -> None:
        """Take where octets come from and where messages go.

        ``maximum_length`` was told to the peer (PS3.8 Section D.1). A PDU up to twice as long is
        read all the same: some peers count its header, or not at all.
        """
        self._wire = wire
        self._messages = messages
        self._longest = 2 * maximum_length
        self._command = bytearray()
        self._command_context = 0
        self._store: StoreRequest | None = None
        self._incoming: Incoming | None = None
        self._other: int | None = None
        self._other_length = 0
        self._buffer = memoryview(bytearray(0))
        self._filled = 0

    def read(self) -> bool:
        """Read PDUs until no octet waits, or the next is no P-DATA-TF; tell which was it.

        False: the next PDU is of another type, and was left where it is.

        Raises:
            Malformed: with nothing kept of the message under way.
            ConnectionEnded: likewise.
        """
        while True:
            kind, length = _PDU.unpack(self._wire.peek(_PDU.size))
            if kind != P_DATA_TF:
                return False
            self._wire.take(_PDU.size)
            self._pdu(length)
            if not self._wire.waiting and not self.is_under_way:
                return True

    @property
    def is_under_way(self) -> bool:
        """Whether a Command Set or the Data Set of a C-STORE has begun and not ended."""
        return self._store is not None or bool(self._command)

    def leave(self) -> None:
        """Drop the message under way: it will not end."""
        if self._incoming is not None:
            self._incoming.abandon()
        self._store = self._incoming = None

    def rest(self) -> None:
        """Let go of memory while nothing comes."""
        if self._store is None:
            self._buffer = memoryview(bytearray(0))

    # --- PDUs -------------------------------------------------------------------------------

    def _pdu(self, length: int) -> None:
        if length > self._longest or length < _PDV.size:
            raise Malformed(f"A P-DATA-TF PDU of {length} octets.")
        while length:
            if length < _PDV.size:
                raise Malformed("A P-DATA-TF PDU does not end with a PDV.")
            size, context_id, control = _PDV.unpack(self._wire.take(_PDV.size))
            length -= size + 4
            if size < 2 or length < 0:  # noqa: PLR2004 - PS3.8 Section 9.3.5.1: ID and control
                raise Malformed("A PDV is longer than its PDU, or too short to be one.")
            fragment = _Fragment(context_id, size - 2, bool(control & LAST), not length)
            if control & COMMAND:
                self._command_fragment(fragment)
            else:
                self._data_fragment(fragment)

    # --- Command Sets -----------------------------------------------------------------------

    def _command_fragment(self, fragment: _Fragment) -> None:
        if self._store is not None or self._other is not None:
            raise Malformed("A command came where a Data Set was to go on.")
        if self._command and fragment.context_id != self._command_context:
            raise Malformed("A command goes on in another presentation context.")
        if len(self._command) + fragment.length > commands.LENGTH_LIMIT:
            raise Malformed("A command does not end.")
        self._command_context = fragment.context_id
        self._command += self._value(fragment)
        if fragment.last:
            octets = bytes(self._command)
            self._command.clear()
            self._begin(fragment.context_id, octets)

    def _begin(self, context_id: int, octets: bytes) -> None:
        if not self._messages.accepts(context_id):
            raise Malformed("A message in a presentation context that was not accepted.")
        try:
            command = commands.read_command(octets)
        except MalformedMessage as error:
            raise Malformed(error.sentence) from error
        if commands.number(command, commands.COMMAND_FIELD) != commands.C_STORE_RQ:
            self._pass_on(context_id, COMMAND | LAST, octets)
            return
        self._store = StoreRequest.of(context_id, command)
        self._filled = 0
        if commands.number(command, commands.COMMAND_DATA_SET_TYPE) == commands.NO_DATA_SET:
            self._finish(self._store)

    # --- Data Sets --------------------------------------------------------------------------

    def _data_fragment(self, fragment: _Fragment) -> None:
        if self._store is None:
            self._other_data(fragment)
            return
        if self._store.context_id != fragment.context_id:
            raise Malformed("A Data Set goes on in another presentation context.")
        self._fill(fragment)
        if fragment.last:
            self._finish(self._store)

    def _fill(self, fragment: _Fragment) -> None:
        """Read a fragment into the buffer, with the next PDU's header where one must follow."""
        left = fragment.length
        expecting = _NEXT if fragment.ends_pdu and not fragment.last else 0
        while left:
            room = self._room(left)
            part = min(left, len(room))
            left -= part
            self._wire.read_into(room[:part], expecting=0 if left else expecting)
            self._filled += part

    def _room(self, wanted: int) -> memoryview:
        """Return the free end of the buffer, which grows, and is emptied where it is full."""
        if self._incoming is not None and self._filled >= _PART_BYTES:
            self._stream()
        if self._filled + wanted > len(self._buffer):
            if len(self._buffer) < BUFFER_BYTES:
                self._grow(self._filled + wanted)
            elif self._filled == len(self._buffer):
                self._stream()
        return self._buffer[self._filled :]

    def _grow(self, wanted: int) -> None:
        size = max(_FIRST_BYTES, 2 * len(self._buffer))
        while size < min(wanted, BUFFER_BYTES):
            size *= 2
        grown = memoryview(bytearray(min(size, BUFFER_BYTES)))
        grown[: self._filled] = self._buffer[: self._filled]
        self._buffer = grown

    def _stream(self) -> None:
        self._data().write(self._buffer[: self._filled])
        self._filled = 0

    def _finish(self, request: StoreRequest) -> None:
        answer = self._data().finish(self._buffer[: self._filled])
        self._store = self._incoming = None
        self._messages.answer(request, answer)

    def _data(self) -> Incoming:
        if self._incoming is None:
            assert self._store is not None  # noqa: S101 - only a C-STORE has one
            self._incoming = self._messages.incoming(self._store)
        return self._incoming

    # --- other messages ---------------------------------------------------------------------

    def _other_data(self, fragment: _Fragment) -> None:
        if self._other != fragment.context_id:
            raise Malformed("A Data Set fragment belongs to no message.")
        self._other_length += fragment.length
        if self._other_length > _MESSAGE_LIMIT:
            raise Malformed("An identifier does not end.")
        control = LAST if fragment.last else 0
        self._pass_on(fragment.context_id, control, self._value(fragment))

    def _pass_on(self, context_id: int, control: int, octets: bytes) -> None:
        try:
            goes_on = self._messages.fragment(context_id, bytes((control,)) + octets)
        except MalformedMessage as error:
            raise Malformed(error.sentence) from error
        self._other = context_id if goes_on else None
        self._other_length = self._other_length if goes_on else 0

    def _value(self, fragment: _Fragment) -> bytes:
        if fragment.length <= _TAKEN_AT_ONCE:
            return bytes(self._wire.take(fragment.length))
        octets = bytearray(fragment.length)
        self._wire.read_into(memoryview(octets))
        return bytes(octets)


def p_data(context_id: int, command: bytes, *, maximum_length: int) -> bytes:
    """Return the P-DATA-TF PDUs of a message that has only a Command Set.

    ``maximum_length`` is what the peer said it takes; 0 is any.
    """
    longest = max(maximum_length - _PDV.size, 1) if maximum_length else len(command)
    return b"".join(
        _one_pdu(context_id, command[at : at + longest], last=at + longest >= len(command))
        for at in range(0, len(command), longest)
    )


def _one_pdu(context_id: int, piece: bytes, *, last: bool) -> bytes:
    control = COMMAND | LAST if last else COMMAND
    header = _PDU.pack(P_DATA_TF, len(piece) + _PDV.size)
    return header + _PDV.pack(len(piece) + 2, context_id, control) + piece
