"""One MLLP connection: reads messages, has each made durable, and answers in order.

Nothing here reads more of a message than its MSH, and nothing needs a database.

    waiting --octets--> reading --whole message--> writing --durable--> answered (AA) --> waiting
       |                   |                          +-- disk refused --> answered (AE) --> waiting
       |                   +-- silence or end: closed, nothing kept
       |                   +-- no frame, or too large: answered (AR), closed
       +-- end of the connection, or quiet for long: closed
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from archive.clock import Clock
from archive.errors import MalformedMessage, Unavailable
from archive.store.segment import Envelope, RecordKind
from archive.store.spool import SegmentWriter
from local_node.hl7.acknowledge import ACCEPTED, AckCode, ErrorCode, Verdict, acknowledgement
from local_node.hl7.framing import Event, Framed, Framer, Oversized, framed
from local_node.hl7.header import MEDIA_TYPE, Header, ensure_single, read_header

_log = structlog.get_logger("hl7")

_CHUNK = 64 * 1024
_PAUSE_AFTER_FS_SECONDS = 0.2
"""How long a sender that leaves the last carriage return out is waited for."""


@dataclass(frozen=True, slots=True)
class MllpLimits:
    """How much, and how long, one sender may ask of the listener."""

    idle_seconds: float = 30.0
    """Silence in the middle of a message, or a peer that takes no answer, after which the
    connection is closed."""
    quiet_seconds: float = 3600.0
    """Silence between messages after which the connection is closed; engines connect anew."""
    hand_over_seconds: float = 0.5
    """How long a durable message may wait before intake sees it."""
    message_octets: int = 16 * 1024 * 1024
    connections: int = 256


@dataclass(slots=True, eq=False)
class Conversation:
    """One connection with one sender. ``writer`` is its own segment of the spool."""

    reader: asyncio.StreamReader
    stream: asyncio.StreamWriter
    writer: SegmentWriter
    clock: Clock
    limits: MllpLimits
    disk_threads: Executor
    association: str = field(default_factory=lambda: f"mllp-{secrets.token_hex(8)}")
    _framer: Framer = field(init=False)
    _stopping: bool = field(default=False, init=False)
    _waits_since: float | None = field(default=None, init=False)
    """When the oldest message that intake does not see yet was made durable; loop time."""

    def __post_init__(self) -> None:
        self._framer = Framer(self.limits.message_octets)

    @property
    def peer(self) -> str:
        """Address and port of the sender."""
        host, port, *_ = self.stream.get_extra_info("peername") or ("", 0)
        return f"{host}:{port}"

    async def run(self) -> None:
        """Converse until either side ends it; afterwards intake sees all that was accepted."""
        _log.info("mllp.connected", association=self.association, peer=self.peer)
        try:
            await self._converse()
        except OSError as error:
            self._closed("broken", cause=type(error).__name__)
        finally:
            self.stream.close()
        await self._hand_over()

    def stop(self) -> None:
        """End the connection after the message that is being written has been answered."""
        self._stopping = True
        self.stream.transport.pause_reading()  # type: ignore[attr-defined]
        self.reader.feed_eof()

    async def _converse(self) -> None:
        while not self._stopping:
            octets = await self._octets()
            if octets == b"":
                return self._closed("cut_off" if self._framer.pending else "ended")
            going_on = await (self._silence() if octets is None else self._taken(octets))
            if not going_on:
                return None
        return self._closed("stopped")

    async def _octets(self) -> bytes | None:
        """Return what came, empty at the end of the connection, None when patience ends first."""
        try:
            async with asyncio.timeout(self._patience()):
                return await self.reader.read(_CHUNK)
        except TimeoutError:
            return None

    def _patience(self) -> float:
        if self._framer.may_be_whole:
            return _PAUSE_AFTER_FS_SECONDS
        if self._waits_since is not None:
            return self.limits.hand_over_seconds
        return self.limits.idle_seconds if self._framer.pending else self.limits.quiet_seconds

    async def _silence(self) -> bool:
        """Do what silence asks for; tell whether to go on."""
        whole = self._framer.quiet()
        if whole is not None:
            return await self._answered(whole)
        if self._waits_since is not None:
            await self._hand_over()
            return True
        self._closed("silent" if self._framer.pending else "quiet")
        return False

    async def _taken(self, octets: bytes) -> bool:
        for event in self._framer.feed(octets):
            if not await self._answered(event):
                return False
        return True

    async def _answered(self, event: Event) -> bool:
        """Answer one event; tell whether anything after it can still be read."""
        if isinstance(event, Framed):
            await self._message(event)
            return True
        if isinstance(event, Oversized):
            await self._refuse("The message is larger than the limit.", _readable(event.head))
        else:
            await self._refuse("The message has no MLLP frame.", None)
        return False

    async def _message(self, whole: Framed) -> None:
        header = _readable(whole.octets)
        if header is not None and header.is_acknowledgement:
            _log.warning("mllp.acknowledgement_ignored", **self._keys(header))
            return
        verdict = await self._verdict(header, whole.octets)
        answered = _log.info if verdict is ACCEPTED else _log.warning
        answered(
            "mllp.message",
            code=verdict.code.value,
            reason=verdict.text,
            octets=len(whole.octets),
            abandoned_octets=whole.abandoned,
            **self._keys(header),
        )
        await self._send(header, verdict)
        await self._hand_over_if_due()

    async def _verdict(self, header: Header | None, octets: bytes) -> Verdict:
        try:
            known = header or read_header(octets)
            ensure_single(octets, known)
        except MalformedMessage as error:
            return Verdict(AckCode.REJECT, error.sentence, ErrorCode.SEGMENT_SEQUENCE)
        try:
            await self._on_disk(lambda: self._append(known, octets))
        except Unavailable as error:
            return Verdict(AckCode.ERROR, f"{error.sentence} Send again.", ErrorCode.INTERNAL)
        if self._waits_since is None:
            self._waits_since = asyncio.get_running_loop().time()
        return ACCEPTED

    def _append(self, header: Header, octets: bytes) -> None:
        envelope = Envelope(
            association=self.association,
            context_id=0,
            calling_ae=header.feed.name,
            called_ae=header.receiving_application,
            peer=self.peer,
            arrived_at=self.clock.now(),
            transfer_syntax=MEDIA_TYPE,
            sop_class_uid="",
            sop_instance_uid=header.control_id,
        )
        self.writer.append(RecordKind.HL7, envelope, [octets])

    async def _refuse(self, sentence: str, header: Header | None) -> None:
        """Reject what cannot be read on, and read it out so that the answer arrives."""
        verdict = Verdict(AckCode.REJECT, sentence, ErrorCode.SEGMENT_SEQUENCE)
        self._closed("refused", reason=sentence)
        await self._send(header, verdict)
        self.stream.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.limits.idle_seconds):
                await self._read_out()

    async def _read_out(self) -> None:
        left = self.limits.message_octets
        while left > 0 and not self._stopping and (octets := await self.reader.read(_CHUNK)):
            left -= len(octets)

    async def _send(self, header: Header | None, verdict: Verdict) -> None:
        self.stream.write(framed(acknowledgement(header, verdict, at=self.clock.now())))
        async with asyncio.timeout(self.limits.idle_seconds):
            await self.stream.drain()

    async def _hand_over_if_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._waits_since is not None and now - self._waits_since >= (
            self.limits.hand_over_seconds
        ):
            await self._hand_over()

    async def _hand_over(self) -> None:
        self._waits_since = None
        await self._on_disk(self.writer.hand_over)

    async def _on_disk(self, work: Callable[[], None]) -> None:
        """Do what waits for the disk in a thread: one slow disk write holds up nobody's reading."""
        await asyncio.get_running_loop().run_in_executor(self.disk_threads, work)

    def _keys(self, header: Header | None) -> dict[str, str]:
        keys = {"association": self.association, "peer": self.peer}
        if header is not None:
            told = {"feed": header.feed.name, "kind": header.kind, "control_id": header.control_id}
            keys |= {name: ascii(value)[1:-1] for name, value in told.items()}
        return keys

    def _closed(self, why: str, **facts: str) -> None:
        """Say why the connection ends. What had begun and did not end is not kept."""
        said = _log.warning if self._framer.pending else _log.info
        said(
            "mllp.closed",
            why=why,
            association=self.association,
            peer=self.peer,
            octets_dropped=self._framer.pending,
            **facts,
        )


def _readable(octets: bytes) -> Header | None:
    """Return the header of what may be no HL7 at all."""
    try:
        return read_header(octets)
    except MalformedMessage:
        return None
