"""C-MOVE and C-GET in Study Root and Patient Root (PS3.4 Sections C.4.2 and C.4.3).

Both carry the octets of :func:`archive.view.wire.prepare`, one instance at a time, and differ only
in the association that carries them.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol, cast

from pynetdicom.dimse_primitives import C_GET, C_MOVE
from pynetdicom.presentation import PresentationContext

from archive.dimse.commands import comment
from archive.dimse.identifiers import failed_list, read_identifier, selection_of
from archive.dimse.negotiation import PATIENT_ROOT
from archive.dimse.outbox import is_success, is_warning
from archive.dimse.scu import OwnAssociation, ToDestination
from archive.dimse.statuses import statuses_of
from archive.errors import ArchiveError, UnknownDestination
from archive.reader import Outgoing, Reader, Selection
from archive.view.wire import Prepared, prepare
from archive.words.identity import Asker
from archive.words.statuses import RetrieveStatus

if TYPE_CHECKING:
    from archive.dimse.acceptor import Acceptor
    from archive.dimse.scp import Destination

LOGGER = logging.getLogger(__name__)

_MOST = 0xFFFF
"""Numbers of sub-operations are US."""


class Carrier(Protocol):
    """An association on which instances are stored."""

    def accepted(self, outgoing: Outgoing) -> Sequence[str]:
        """Return the transfer syntaxes in which the receiver takes an instance's class.

        Raises:
            PeerUnreachable: there is no association.
        """

    def store(self, outgoing: Outgoing, prepared: Prepared) -> int:
        """Return the status that the receiver answers.

        Raises:
            PeerUnreachable: no response came.
        """


@dataclass(slots=True)
class Tally:
    """How far the sub-operations of one request are."""

    remaining: int
    completed: int = 0
    warning: int = 0
    failed: list[str] = field(default_factory=list)
    """SOP Instance UIDs of what failed."""
    said: str = ""
    """Why the first of them failed."""

    def fail(self, sop_instance_uid: str, sentence: str) -> None:
        """Count one failure, by name."""
        self.failed.append(sop_instance_uid)
        self.said = self.said or sentence

    def final(self) -> RetrieveStatus:
        """Return the status of the final response (PS3.4 Tables C.4-2 and C.4-3)."""
        if self.failed and not self.completed and not self.warning:
            return RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS
        if self.failed or self.warning:
            return RetrieveStatus.SUB_OPERATIONS_COMPLETE_WITH_FAILURES
        return RetrieveStatus.SUCCESS


def serve_get(association: "Acceptor", request: C_GET, context: PresentationContext) -> None:
    """Answer one C-GET: stores on its own association, then how it ended."""
    retrieval = _Retrieval(association, request, context)
    retrieval.serve(partial(_get, retrieval))


def serve_move(association: "Acceptor", request: C_MOVE, context: PresentationContext) -> None:
    """Answer one C-MOVE: stores at the destination, then how it ended."""
    retrieval = _Retrieval(association, request, context)
    retrieval.serve(partial(_move, retrieval, str(request.MoveDestination or "").strip()))


class _Retrieval:
    """One C-MOVE or C-GET under way."""

    def __init__(
        self, association: "Acceptor", request: C_GET | C_MOVE, context: PresentationContext
    ) -> None:
        self.association = association
        self.request = request
        self._context = context
        self._syntax = str(context.transfer_syntax[0])
        self._tally = Tally(remaining=0)

    def serve(self, perform: "Perform") -> None:
        """Perform the sub-operations and send the final response, whatever happens."""
        try:
            status, said = perform(), self._tally.said
        except ArchiveError as error:
            status, said = statuses_of(error).retrieve, error.sentence
        self._respond(status, said=said)
        LOGGER.info(
            "association=%s service=%s completed=%d failed=%d warning=%d status=0x%04X comment=%r",
            self.association.name,
            self.request.msg_type,
            self._tally.completed,
            len(self._tally.failed),
            self._tally.warning,
            status,
            comment(said),
        )

    def selection(self) -> Selection:
        """Return what the Identifier selects."""
        octets = self.request.Identifier.getvalue() if self.request.Identifier else b""
        patient_root = self._context.abstract_syntax in PATIENT_ROOT
        return selection_of(read_identifier(octets, self._syntax, patient_root=patient_root))

    def carry(
        self, chosen: Sequence[Outgoing], carrier: Carrier, delivery: "Delivery"
    ) -> RetrieveStatus:
        """Store the chosen instances one after the other, told by pending responses."""
        self._tally = Tally(remaining=len(chosen))
        for outgoing in chosen:
            if self.association.is_canceled(self.request.MessageID):
                return RetrieveStatus.CANCEL
            if self.association.has_ended():
                break
            self._carry_one(outgoing, carrier, delivery)
            self._tally.remaining -= 1
            self._respond(RetrieveStatus.PENDING)
        return self._tally.final()

    def _carry_one(self, outgoing: Outgoing, carrier: Carrier, delivery: "Delivery") -> None:
        try:
            status = _store(outgoing, carrier, delivery.reader)
        except ArchiveError as error:
            self._note_failure(outgoing, error.sentence)
            return
        if is_success(status):
            self._tally.completed += 1
        elif is_warning(status):
            self._tally.warning += 1
        else:
            self._note_failure(outgoing, f"The receiver answered {status:04X}H.")
            return
        self._note_delivery(outgoing, delivery)

    def _note_failure(self, outgoing: Outgoing, sentence: str) -> None:
        self._tally.fail(outgoing.sop_instance_uid, sentence)
        LOGGER.warning(
            "association=%s sop_instance_uid=%s not_sent=%r",
            self.association.name,
            outgoing.sop_instance_uid,
            sentence,
        )

    def _note_delivery(self, outgoing: Outgoing, delivery: "Delivery") -> None:
        try:
            delivery.note(outgoing)
        except ArchiveError as error:
            # The receiver has it; that the database could not note it does not make it a failure.
            LOGGER.warning(
                "association=%s sop_instance_uid=%s delivery_not_noted=%r",
                self.association.name,
                outgoing.sop_instance_uid,
                error.sentence,
            )

    def _respond(self, status: RetrieveStatus, *, said: str = "") -> None:
        response = type(self.request)()
        response.MessageIDBeingRespondedTo = self.request.MessageID or 0
        response.AffectedSOPClassUID = self._context.abstract_syntax
        response.Status = status
        if said:
            cast("Any", response).ErrorComment = comment(said)
        self._count(response, status)
        if status is not RetrieveStatus.PENDING and self._tally.failed:
            response.Identifier = BytesIO(failed_list(self._tally.failed, self._syntax))
        self.association.respond(response, self._context)

    def _count(self, response: C_GET | C_MOVE, status: RetrieveStatus) -> None:
        """Number of Remaining Sub-operations only where some remain (PS3.4 C.4.2.1.6)."""
        tally = self._tally
        if status in (RetrieveStatus.PENDING, RetrieveStatus.CANCEL):
            response.NumberOfRemainingSuboperations = min(tally.remaining, _MOST)
        response.NumberOfCompletedSuboperations = min(tally.completed, _MOST)
        response.NumberOfFailedSuboperations = min(len(tally.failed), _MOST)
        response.NumberOfWarningSuboperations = min(tally.warning, _MOST)


class Perform(Protocol):
    """Performs the sub-operations of one request."""

    def __call__(self) -> RetrieveStatus:
        """Return how it ended."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where instances go, for the record of deliveries."""

    reader: Reader
    receiver: Asker
    destination: str
    means: str

    def note(self, outgoing: Outgoing) -> None:
        """Write that an instance has left."""
        self.reader.note_delivery(
            self.receiver, outgoing, destination=self.destination, means=self.means
        )


def _store(outgoing: Outgoing, carrier: Carrier, reader: Reader) -> int:
    if outgoing.refusal is not None:
        raise outgoing.refusal
    accepted = carrier.accepted(outgoing)
    prepared = prepare(outgoing, partial(_octets, reader, outgoing), accepted)
    return carrier.store(outgoing, prepared)


def _octets(reader: Reader, outgoing: Outgoing) -> Iterator[bytes]:
    return reader.data_set(outgoing)


def _get(retrieval: _Retrieval) -> RetrieveStatus:
    association = retrieval.association
    selection = retrieval.selection()
    reader = association.offer.reader()
    chosen = reader.select(association.asker, selection)
    delivery = Delivery(reader, association.asker, association.calling_ae, "C-GET")
    carrier = OwnAssociation(association, first_message_id=(retrieval.request.MessageID or 0) + 1)
    return retrieval.carry(chosen, carrier, delivery)


def _move(retrieval: _Retrieval, ae_title: str) -> RetrieveStatus:
    association = retrieval.association
    selection = retrieval.selection()
    destination = association.offer.destinations.destination(ae_title)
    if destination is None:
        raise UnknownDestination("The move destination is not known here.", ae_title=ae_title)
    reader = association.offer.reader()
    receiver = _receiver(association, destination)
    chosen = _as_received(reader, association.asker, receiver, selection)
    delivery = Delivery(reader, receiver, ae_title, "C-MOVE")
    with ToDestination(
        destination,
        chosen,
        own_ae=association.offer.ae_title,
        originator_ae=association.calling_ae,
        originator_message_id=retrieval.request.MessageID or 0,
    ) as carrier:
        return retrieval.carry(chosen, carrier, delivery)


def _receiver(association: "Acceptor", destination: "Destination") -> Asker:
    """Return as whom the destination sees: its trust's numbers, not those of who asked."""
    asker = association.asker
    if destination.organisation in (None, asker.organisation):
        return asker
    known = association.offer.callers.caller(destination.ae_title)
    if known is not None and known.organisation == destination.organisation:
        return known
    return Asker(
        organisation=destination.organisation,
        authority=destination.authority,
        who=destination.ae_title,
        purpose=asker.purpose,
    )


def _as_received(
    reader: Reader, asker: Asker, receiver: Asker, selection: Selection
) -> list[Outgoing]:
    """Return what the asker selects, each as it may leave for the receiver.

    What only one of the two may see does not leave.
    """
    chosen = reader.select(asker, selection)
    if receiver == asker or not chosen:
        return chosen
    studies = tuple(dict.fromkeys(outgoing.study_instance_uid for outgoing in chosen))
    seen = {(outgoing.sop_instance_uid, outgoing.digest) for outgoing in chosen}
    return [
        outgoing
        for outgoing in reader.select(receiver, Selection(study_uids=studies))
        if (outgoing.sop_instance_uid, outgoing.digest) in seen
    ]
