"""A workstation's Storage SCP: it takes every class in the first syntax offered, and keeps it."""

import contextlib
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.demo.command_set import CommandField
from deploy.demo.messages import Conversation, Received, Shelf, answer
from deploy.demo.upper_layer import (
    APPLICATION_CONTEXT,
    FIXED_PART_OF_ACCEPTANCE,
    Acceptance,
    Connection,
    ItemType,
    PduType,
    PeerError,
    item,
    pdu,
    read_acceptance,
    read_items,
    user_information,
)

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 60.0
ANSWERS: Mapping[int, CommandField] = {
    CommandField.C_STORE_RQ: CommandField.C_STORE_RSP,
    CommandField.C_ECHO_RQ: CommandField.C_ECHO_RSP,
}
SUCCESS = 0x0000
NO_SUCH_OPERATION = 0x0211
"""PS3.7 Annex C.5.18."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What an A-ASSOCIATE-RQ asks for (PS3.8 Section 9.3.2)."""

    titles: bytes
    """Called and calling AE title, 16 octets each, as they came."""

    syntaxes: Mapping[int, str]
    """The first transfer syntax of each presentation context."""

    acceptance: Acceptance
    """How long the requestor lets fragments be."""

    @property
    def calling_ae(self) -> str:
        """Who calls."""
        return self.titles[16:].decode("latin-1").strip()


class Recorder:
    """A Storage SCP on a port of its own while the block lasts."""

    def __init__(self, ae_title: str, directory: Path) -> None:
        """Bind a free port at once, so that others can be told of it before it serves."""
        self.ae_title = ae_title
        self._shelf = Shelf(directory)
        self._received: list[Received] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self._thread = threading.Thread(target=self._serve, name="recorder", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on, on loopback."""
        port: int = self._listener.getsockname()[1]
        return port

    def received(self) -> tuple[Received, ...]:
        """Return what has come so far, oldest first."""
        return tuple(self._received)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A blocked accept() is not woken by close() alone.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connected, _ = self._listener.accept()
                connection = Connection(connected, timeout=IDLE_SECONDS)
                threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _take(self, connection: Connection) -> None:
        with contextlib.suppress(PeerError), contextlib.closing(connection):
            offered = read_offer(connection.receive().body)
            connection.send(_accepted(offered))
            length = offered.acceptance.fragment_length
            conversation = Conversation(connection, fragment_length=length)
            while self._answered(conversation, offered):
                pass

    def _answered(self, conversation: Conversation, offered: Offered) -> bool:
        message = conversation.receive()
        if message is None:
            return False
        if message.field == CommandField.C_STORE_RQ:
            syntax = offered.syntaxes[message.context_id]
            kept = self._shelf.keep(message, transfer_syntax=syntax, calling_ae=offered.calling_ae)
            self._received.append(kept)
        response = ANSWERS.get(message.field, CommandField.C_ECHO_RSP)
        status = SUCCESS if message.field in ANSWERS else NO_SUCH_OPERATION
        conversation.send(message.context_id, answer(message, response, status=status))
        return True


def read_offer(body: bytes) -> Offered:
    """Read an A-ASSOCIATE-RQ.

    Raises:
        ProtocolBroken: its items do not fit.
    """
    syntaxes = {}
    for kind, value in read_items(body[FIXED_PART_OF_ACCEPTANCE:]):
        if kind == ItemType.PRESENTATION_CONTEXT_RQ:
            offered = [
                text for sub, text in read_items(value[4:]) if sub == ItemType.TRANSFER_SYNTAX
            ]
            syntaxes[value[0]] = offered[0].decode("latin-1").strip(" \0")
    return Offered(titles=body[4:36], syntaxes=syntaxes, acceptance=read_acceptance(body))


def _accepted(offered: Offered) -> bytes:
    """Return an A-ASSOCIATE-AC that takes every context (PS3.8 Section 9.3.3)."""
    items = item(ItemType.APPLICATION_CONTEXT, APPLICATION_CONTEXT.encode())
    for context_id, syntax in offered.syntaxes.items():
        chosen = item(ItemType.TRANSFER_SYNTAX, syntax.encode("latin-1"))
        items += item(ItemType.PRESENTATION_CONTEXT_AC, struct.pack(">B3x", context_id) + chosen)
    fixed = struct.pack(">HH", 1, 0) + offered.titles + bytes(32)
    return pdu(PduType.ASSOCIATE_AC, fixed + items + user_information())
