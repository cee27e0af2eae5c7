"""What intake would find in the spool of a door, and a peer that is served the whole time."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from archive.reader import Reader
from archive.store.part10 import data_set_offset
from archive.store.segment import Record
from archive.words.statuses import StoreStatus
from tests.associations.door import Archive
from tests.index.builders import RXA
from tests.peers.processes import wait_until
from tests.wire.octets import noise, plain, store
from tests.wire.scripted import Peer

BYSTANDERS = "1.2.826.99."
"""How the UIDs of what the bystander stores begin."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One instance as it lies in the spool."""

    sop_instance_uid: str
    """As the command said."""
    context_id: int
    transfer_syntax: str
    data_set: bytes
    segment: str = field(compare=False, default="")


class Index:
    """Hands out the reader of a door; a test may hold it back."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answers = threading.Event()
        self.answers.set()
        self.of: Archive | None = None

    def reader(self) -> Reader:
        """Return the reader when it may be used."""
        self.asked.set()
        self.answers.wait(10)
        assert self.of is not None
        return self.of.rows.reader


class Spooled:
    """The spool of a running door."""

    def __init__(self, archive: Archive, index: Index) -> None:
        self._archive = archive
        self._index = index
        self._read_before: dict[str, list[Kept]] = {}
        self._found: dict[str, list[Kept]] = {}
        self.acknowledged: list[str] = []
        """UIDs of the bystander's instances that were answered with Success."""

    @property
    def archive(self) -> Archive:
        """The door and what lies behind it."""
        return self._archive

    @contextmanager
    def reader_held(self) -> Iterator[threading.Event]:
        """Let no query be answered before the block ends; give what is set when one is asked."""
        self._index.asked.clear()
        self._index.answers.clear()
        try:
            yield self._index.asked
        finally:
            self._index.answers.set()

    def kept(self, prefix: str, count: int) -> list[Kept]:
        """Return what is kept under UIDs that begin so, in the order of the segments.

        Waits until there are ``count`` and no segment is open any more: then nothing is under
        way, and whatever of a message was cut off would be here.
        """
        wait_until(lambda: len(self._under(prefix)) >= count, what=f"{count} of {prefix} kept")
        wait_until(self._settled, what="every segment handed over")
        self._found[prefix] = self._under(prefix)
        return self._found[prefix]

    def taken(self, count: int) -> list[Kept]:
        """Return all that is kept, ``count`` instances or more, and delete it as intake does."""
        kept = self.kept("", count)
        for name in self._archive.segments.ready():
            self._archive.segments.delete(name)
        self._found.clear()
        return kept

    def register(self, uid: str) -> None:
        """Make one instance that is kept visible to queries, as intake would."""
        self.kept(uid, 1)
        for name, record, part10 in self._archive.records():
            if record.envelope.sop_instance_uid == uid:
                arrived = self._archive._arrived(RXA, name, record, part10)
                self._archive.rows.take(arrived)

    def changed_later(self) -> list[str]:
        """Return the prefixes under which more is kept now than was found when it was asked."""
        wait_until(self._settled, what="every segment handed over")
        return [prefix for prefix, found in self._found.items() if self._under(prefix) != found]

    def _under(self, prefix: str) -> list[Kept]:
        self._archive.spool.hand_over_quiet(0)
        self._archive.segments.recover()
        return [one for one in self._all() if one.sop_instance_uid.startswith(prefix)]

    def _settled(self) -> bool:
        self._archive.spool.hand_over_quiet(0)
        self._archive.segments.recover()
        return not list(self._archive.spool._ground.directory.glob("*.open"))

    def _all(self) -> Iterator[Kept]:
        segments = self._archive.segments
        for name in segments.ready():
            if name not in self._read_before:
                read = [self._read(name, record) for record in segments.records(name)]
                self._read_before[name] = read
            yield from self._read_before[name]

    def _read(self, name: str, record: Record) -> Kept:
        segments = self._archive.segments
        part10 = b"".join(segments.read(name, offset=record.offset, length=record.length))
        envelope = record.envelope
        return Kept(
            envelope.sop_instance_uid,
            envelope.context_id,
            envelope.transfer_syntax,
            part10[data_set_offset(part10) :],
            name,
        )


class Bystander:
    """An association of its own that wants to be served whatever others do."""

    def __init__(self, spooled: Spooled) -> None:
        self._spooled = spooled
        self._peer = Peer(spooled.archive.endpoint)
        self._peer.associate()
        self._message_ids = itertools.count(1)

    def is_served(self) -> bool:
        """Store an instance; tell whether it was acknowledged."""
        message_id = next(self._message_ids)
        uid = f"{BYSTANDERS}{message_id}"
        self._peer.say(plain(store(uid, message_id, noise(message_id, 700))))
        answer = self._peer.answer()
        if (answer.message_id, answer.status) != (message_id, StoreStatus.SUCCESS):
            return False
        self._spooled.acknowledged.append(uid)
        return True

    def leave(self) -> bool:
        """Release the association; tell whether that went well."""
        with self._peer:
            return self._peer.released()
