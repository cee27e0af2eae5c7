"""An association of a Storage SCU that sends Data Set octets as they lie (PS3.7, PS3.8)."""

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

from deploy.demo.command_set import (
    VERIFICATION_SOP_CLASS,
    CommandUnreadable,
    Response,
    echo_request,
    read_response,
    store_request,
)
from deploy.demo.upper_layer import (
    Acceptance,
    AssociationLost,
    Connection,
    Pdu,
    PduType,
    PeerError,
    PresentationContext,
    ProtocolBroken,
    abort_request,
    p_data,
    pdu,
    read_pdvs,
    release_request,
)
from deploy.demo.wire_object import WireObject

SUCCESS = 0x0000
"""PS3.7 Annex C.1."""

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
VERIFICATION = PresentationContext(VERIFICATION_SOP_CLASS, IMPLICIT_VR_LITTLE_ENDIAN)

HIGHEST_MESSAGE_ID = 0xFFFF


class ContextNotAccepted(PeerError):
    """The peer did not accept the presentation context that a message needs."""

    def __init__(self, context: PresentationContext) -> None:
        super().__init__(
            f"No presentation context for {context.sop_class_uid} in {context.transfer_syntax}."
        )
        self.context = context


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one object."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str

    status: int | None
    """The C-STORE status (PS3.4 Section B.2.3); None where no response came."""

    error_comment: str
    """(0000,0902) of the response; where none came, the sentence that says why."""

    sha256: str
    """Digest of the Data Set octets put on the wire, in hexadecimal; "" where not all were."""

    octets: int
    """Data Set octets put on the wire."""

    @classmethod
    def answered(cls, wire_object: WireObject, response: Response, sent: "SentOctets") -> Self:
        """Tell what the response says."""
        return cls(
            sop_class_uid=wire_object.sop_class_uid,
            sop_instance_uid=wire_object.sop_instance_uid,
            transfer_syntax=wire_object.transfer_syntax,
            status=response.status,
            error_comment=response.error_comment,
            sha256=sent.sha256,
            octets=sent.octets,
        )

    @classmethod
    def unanswered(cls, wire_object: WireObject, problem: PeerError) -> Self:
        """Tell why there is no response."""
        return cls(
            sop_class_uid=wire_object.sop_class_uid,
            sop_instance_uid=wire_object.sop_instance_uid,
            transfer_syntax=wire_object.transfer_syntax,
            status=None,
            error_comment=str(problem),
            sha256="",
            octets=0,
        )

    @property
    def success(self) -> bool:
        """Tell whether the answer was 0000H."""
        return self.status == SUCCESS


@dataclass(frozen=True, slots=True)
class SentOctets:
    """What was put on the wire."""

    sha256: str
    octets: int


class Association:
    """An association held open by the caller: any number of stores and echoes, then one end.

    As a context manager it releases at the end, or aborts where the block raised; it may also have
    been ended within. Every wait is bounded by the timeout of the modality that opened it.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        contexts: Mapping[int, PresentationContext],
        acceptance: Acceptance,
    ) -> None:
        self._connection = connection
        self._acceptance = acceptance
        self._context_ids = {
            context: context_id
            for context_id, context in contexts.items()
            if context_id in acceptance.context_ids
        }
        self._message_ids = itertools.cycle(range(1, HIGHEST_MESSAGE_ID + 1))
        self._ended = False

    @property
    def accepted(self) -> frozenset[PresentationContext]:
        """The contexts that the peer accepted."""
        return frozenset(self._context_ids)

    @property
    def maximum_length(self) -> int:
        """The peer's maximum PDU length as it sent it; 0 for none."""
        return self._acceptance.maximum_length

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ended:
            return
        if problem is None:
            self.release()
        else:
            self.abort()

    def echo(self) -> int:
        """Return the status of a C-ECHO (PS3.7 Section 9.1.5).

        Raises:
            ContextNotAccepted, AssociationAborted, AssociationLost, AnswerOverdue, ProtocolBroken
        """
        context_id = self._context_id(VERIFICATION)
        message_id = next(self._message_ids)
        self._send_command(context_id, echo_request(message_id=message_id))
        return self._response(message_id).status

    def store(self, wire_object: WireObject) -> Stored:
        """Send one object by C-STORE (PS3.7 Section 9.1.1) and wait for its response.

        Raises:
            ContextNotAccepted, AssociationAborted, AssociationLost, AnswerOverdue, ProtocolBroken
        """
        context_id = self._context_id(wire_object.context)
        message_id = self._request_store(context_id, wire_object)
        with wire_object.opened() as stream:
            sent = self._send_data_set(context_id, stream)
        response = self._response(message_id)
        return Stored.answered(wire_object, response, sent)

    def begin_store(self, wire_object: WireObject, *, octets: int) -> None:
        """Send the command and the first ``octets`` of the Data Set, and stop in the middle of it.

        Only ``abort`` or ``cut`` make sense afterwards.

        Raises:
            ContextNotAccepted, AssociationAborted, AssociationLost, AnswerOverdue
        """
        context_id = self._context_id(wire_object.context)
        self._request_store(context_id, wire_object)
        with wire_object.truncated(octets).opened() as stream:
            while fragment := stream.read(self._acceptance.fragment_length):
                self._connection.send(p_data(context_id, fragment, command=False, last=False))

    def release(self) -> None:
        """End the association in order (PS3.8 Section 7.2); any other answer ends it as well."""
        with contextlib.suppress(PeerError):
            self._connection.send(release_request())
            self._await_release()
        self._end(self._connection.close)

    def abort(self) -> None:
        """End the association with an A-ABORT (PS3.8 Section 7.3)."""
        with contextlib.suppress(PeerError):
            self._connection.send(abort_request())
        self._end(self._connection.close)

    def cut(self) -> None:
        """Break the TCP connection without a word, as a pulled plug and a reset would."""
        self._end(self._connection.reset)

    def _end(self, close: Callable[[], None]) -> None:
        if not self._ended:
            self._ended = True
            close()

    def _context_id(self, context: PresentationContext) -> int:
        if context not in self._context_ids:
            raise ContextNotAccepted(context)
        return self._context_ids[context]

    def _request_store(self, context_id: int, wire_object: WireObject) -> int:
        message_id = next(self._message_ids)
        command = store_request(
            message_id=message_id,
            sop_class_uid=wire_object.sop_class_uid,
            sop_instance_uid=wire_object.sop_instance_uid,
        )
        self._send_command(context_id, command)
        return message_id

    def _send_command(self, context_id: int, command: bytes) -> None:
        length = self._acceptance.fragment_length
        for start in range(0, len(command), length):
            last = start + length >= len(command)
            fragment = command[start : start + length]
            self._connection.send(p_data(context_id, fragment, command=True, last=last))

    def _send_data_set(self, context_id: int, stream: BinaryIO) -> SentOctets:
        digest = hashlib.sha256()
        octets = 0
        for fragment, last in self._fragments(stream):
            self._connection.send(p_data(context_id, fragment, command=False, last=last))
            digest.update(fragment)
            octets += len(fragment)
        return SentOctets(sha256=digest.hexdigest(), octets=octets)

    def _fragments(self, stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
        """Give at least one fragment: even an empty Data Set has a last one."""
        fragment = stream.read(self._acceptance.fragment_length)
        while following := stream.read(self._acceptance.fragment_length):
            yield fragment, False
            fragment = following
        yield fragment, True

    def _response(self, message_id: int) -> Response:
        command = bytearray()
        while True:
            for value in read_pdvs(self._next_data().body):
                command += value.fragment if value.command else b""
                if value.command and value.last:
                    return _checked(bytes(command), message_id)

    def _next_data(self) -> Pdu:
        received = self._connection.receive()
        if received.kind == PduType.RELEASE_RQ:
            self._connection.send(pdu(PduType.RELEASE_RP, bytes(4)))
            raise AssociationLost("The peer released the association.")
        if received.kind != PduType.P_DATA_TF:
            raise ProtocolBroken(f"{received.kind.name} came where a response was owed.")
        return received

    def _await_release(self) -> None:
        while self._connection.receive().kind != PduType.RELEASE_RP:
            pass


def _checked(command: bytes, message_id: int) -> Response:
    try:
        response = read_response(command)
    except CommandUnreadable as problem:
        raise ProtocolBroken(str(problem)) from problem
    if response.message_id != message_id:
        raise ProtocolBroken(f"A response to message {response.message_id} came, not {message_id}.")
    return response
