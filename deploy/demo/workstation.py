"""A workstation's Query/Retrieve SCU in Study Root: C-FIND, C-GET, C-MOVE (PS3.4 Annex C)."""

import contextlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from deploy.demo.command_set import (
    CommandElement,
    CommandField,
    DataSetType,
    ae_element,
    command_set,
    number_element,
    uid_element,
)
from deploy.demo.messages import Conversation, Message, Received, Shelf, answer
from deploy.demo.modality import requested
from deploy.demo.upper_layer import (
    AssociationLost,
    PresentationContext,
    associate_request,
)

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
"""Study Root Query/Retrieve Information Model (PS3.4 Section C.6.2.3)."""

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
PENDING = frozenset({0xFF00, 0xFF01})
"""PS3.4 Tables C.4-1 to C.4-3."""

SUCCESS = 0x0000
MEDIUM_PRIORITY = 0x0000
QUERY_CONTEXT = 1
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a C-FIND gave."""

    matches: tuple[Dataset, ...]
    status: int
    comment: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a C-GET or C-MOVE said at its end, and what a C-GET brought."""

    status: int
    comment: str
    completed: int
    failed: int
    warning: int
    failed_uids: tuple[str, ...]
    received: tuple[Received, ...]


@dataclass(frozen=True, slots=True)
class Workstation:
    """One application entity that queries one other; each request has its own association."""

    ae_title: str
    host: str
    port: int
    called: str
    timeout: float = TIMEOUT_SECONDS

    def find(self, level: str, keys: Mapping[str, str]) -> Found:
        """C-FIND at STUDY, SERIES or IMAGE with keys by keyword, "" for what is to be returned.

        Raises:
            PeerError: any of its kinds.
        """
        command = _request(CommandField.C_FIND_RQ, FIND)
        with self._associated(FIND) as conversation:
            conversation.send(QUERY_CONTEXT, command, _identifier(level, keys))
            answers = list(_answers(conversation))
        matches = tuple(_data_set(each) for each in answers[:-1])
        return Found(matches, _status(answers[-1]), _comment(answers[-1]))

    def move(self, level: str, keys: Mapping[str, str], *, destination: str) -> Retrieved:
        """C-MOVE to an AE title that the other side knows; raises PeerError."""
        command = _request(CommandField.C_MOVE_RQ, MOVE, destination=destination)
        with self._associated(MOVE) as conversation:
            conversation.send(QUERY_CONTEXT, command, _identifier(level, keys))
            *_, last = _answers(conversation)
        return _retrieved(last, ())

    def get(
        self,
        level: str,
        keys: Mapping[str, str],
        *,
        kinds: Iterable[PresentationContext],
        directory: Path,
    ) -> Retrieved:
        """C-GET objects of these classes and syntaxes into ``directory``; raises PeerError."""
        contexts = dict(enumerate(dict.fromkeys(kinds), start=1))
        numbered = {2 * number + 1: context for number, context in contexts.items()}
        taking = _Taking(Shelf(directory), numbered, self.called)
        command = _request(CommandField.C_GET_RQ, GET)
        with self._associated(GET, numbered) as conversation:
            conversation.send(QUERY_CONTEXT, command, _identifier(level, keys))
            *_, last = _answers(conversation, taking)
        return _retrieved(last, tuple(taking.received))

    @contextlib.contextmanager
    def _associated(
        self, model: str, storage: Mapping[int, PresentationContext] | None = None
    ) -> Iterator[Conversation]:
        taken = storage or {}
        request = associate_request(
            called=self.called,
            calling=self.ae_title,
            contexts={
                QUERY_CONTEXT: PresentationContext(model, IMPLICIT_VR_LITTLE_ENDIAN),
                **taken,
            },
            taken=dict.fromkeys(context.sop_class_uid for context in taken.values()),
        )
        connection, acceptance = requested(self.host, self.port, request, timeout=self.timeout)
        conversation = Conversation(connection, fragment_length=acceptance.fragment_length)
        try:
            yield conversation
        finally:
            conversation.release()


class _Taking:
    """Takes the stores of a C-GET on its own association."""

    def __init__(
        self, shelf: Shelf, contexts: Mapping[int, PresentationContext], from_ae: str
    ) -> None:
        self._shelf = shelf
        self._contexts = contexts
        self._from_ae = from_ae
        self.received: list[Received] = []

    def take(self, conversation: Conversation, message: Message) -> None:
        syntax = self._contexts[message.context_id].transfer_syntax
        kept = self._shelf.keep(message, transfer_syntax=syntax, calling_ae=self._from_ae)
        self.received.append(kept)
        stored = answer(message, CommandField.C_STORE_RSP, status=SUCCESS)
        conversation.send(message.context_id, stored)


def _answers(conversation: Conversation, taking: _Taking | None = None) -> Iterator[Message]:
    """Give every response, the final one last; stores that come in between are taken."""
    while True:
        message = conversation.receive()
        if message is None:
            raise AssociationLost("The peer released the association before its final response.")
        if message.field == CommandField.C_STORE_RQ and taking is not None:
            taking.take(conversation, message)
            continue
        yield message
        if _status(message) not in PENDING:
            return


def _request(field: CommandField, model: str, *, destination: str = "") -> bytes:
    to = [ae_element(CommandElement.MOVE_DESTINATION, destination)] if destination else []
    return command_set(
        uid_element(CommandElement.AFFECTED_SOP_CLASS_UID, model),
        number_element(CommandElement.COMMAND_FIELD, field),
        number_element(CommandElement.MESSAGE_ID, 1),
        *to,
        number_element(CommandElement.PRIORITY, MEDIUM_PRIORITY),
        number_element(CommandElement.COMMAND_DATA_SET_TYPE, DataSetType.PRESENT),
    )


def _identifier(level: str, keys: Mapping[str, str]) -> bytes:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value.split("\\") if "\\" in value else value)
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, True
    write_dataset(stream, identifier)
    return stream.getvalue()


def _data_set(message: Message) -> Dataset:
    return read_dataset(io.BytesIO(message.data_set), is_implicit_VR=True, is_little_endian=True)


def _retrieved(last: Message, received: Sequence[Received]) -> Retrieved:
    failed = _data_set(last).get("FailedSOPInstanceUIDList") or []
    return Retrieved(
        status=_status(last),
        comment=_comment(last),
        completed=last.number(CommandElement.COMPLETED_SUB_OPERATIONS),
        failed=last.number(CommandElement.FAILED_SUB_OPERATIONS),
        warning=last.number(CommandElement.WARNING_SUB_OPERATIONS),
        failed_uids=tuple([str(failed)] if isinstance(failed, str) else map(str, failed)),
        received=tuple(received),
    )


def _status(message: Message) -> int:
    return message.number(CommandElement.STATUS)


def _comment(message: Message) -> str:
    return message.text(CommandElement.ERROR_COMMENT)
