"""Storing at others: on the requestor's own association (C-GET) or on a new one (C-MOVE)."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from archive.dimse.outbox import StoreMessage, store
from archive.dimse.tcp import send_at_once
from archive.errors import NotAcceptable, PeerUnreachable
from archive.words.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from archive.words.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from archive.dimse.scp import Destination
    from archive.reader import Outgoing
    from archive.view.wire import Prepared

LOGGER = logging.getLogger(__name__)

CONTEXTS_LIMIT = 128
"""Presentation contexts of one association (PS3.8 Section 7.1.1.13)."""
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
_MESSAGE_IDS = 0xFFFF
_FALLBACKS = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


class OwnAssociation:
    """Carries the sub-operations of a C-GET on the association that asked."""

    def __init__(self, association: Association, *, first_message_id: int) -> None:
        self._association = association
        self._message_ids = count(first_message_id)

    def accepted(self, outgoing: "Outgoing") -> Sequence[str]:
        """Return the transfer syntaxes in which the requestor takes the class as SCP."""
        return list(_contexts(self._association, outgoing.sop_class_uid))

    def store(self, outgoing: "Outgoing", prepared: "Prepared") -> int:
        """Store on the requestor's association."""
        message = StoreMessage(
            message_id=next(self._message_ids) % _MESSAGE_IDS + 1,
            sop_class_uid=outgoing.sop_class_uid,
            sop_instance_uid=outgoing.sop_instance_uid,
        )
        contexts = _contexts(self._association, outgoing.sop_class_uid)
        return store(
            self._association, contexts[prepared.transfer_syntax], message, prepared.chunks
        )


def _contexts(association: Association, sop_class_uid: str) -> dict[str, int]:
    """Return context IDs by transfer syntax where this side may be the SCU of a class."""
    return {
        str(context.transfer_syntax[0]): cast("int", context.context_id)
        for context in association.accepted_contexts
        if context.abstract_syntax == sop_class_uid and context.as_scu
    }


@dataclass(frozen=True, slots=True)
class Proposal:
    """One presentation context to propose: a class in one of a few transfer syntaxes."""

    sop_class_uid: str
    syntaxes: tuple[str, ...]


def proposals(kinds: Iterable[tuple[str, str]]) -> Mapping[str, tuple[Proposal, ...]]:
    """Return what to propose for each SOP class, from (class, stored transfer syntax) pairs.

    Each stored syntax has a context of its own, so the receiver cannot choose another one for it;
    one more offers the native syntaxes that anything decodable can be turned into.
    """
    syntaxes: dict[str, dict[str, None]] = {}
    for sop_class_uid, syntax in kinds:
        syntaxes.setdefault(sop_class_uid, {})[syntax] = None
    return {
        sop_class_uid: (
            *(Proposal(sop_class_uid, (syntax,)) for syntax in stored),
            *_fallback(sop_class_uid, stored),
        )
        for sop_class_uid, stored in syntaxes.items()
    }


def _fallback(sop_class_uid: str, stored: Mapping[str, None]) -> Iterator[Proposal]:
    missing = tuple(syntax for syntax in _FALLBACKS if syntax not in stored)
    if missing:
        yield Proposal(sop_class_uid, missing)


def batches(wanted: Mapping[str, tuple[Proposal, ...]]) -> list[tuple[Proposal, ...]]:
    """Return the contexts of as few associations as hold them, a class never divided if it fits."""
    filled: list[tuple[Proposal, ...]] = []
    for of_class in wanted.values():
        for start in range(0, len(of_class), CONTEXTS_LIMIT):
            part = of_class[start : start + CONTEXTS_LIMIT]
            if filled and len(filled[-1]) + len(part) <= CONTEXTS_LIMIT:
                filled[-1] += part
            else:
                filled.append(part)
    return filled


class ToDestination:
    """Carries the sub-operations of a C-MOVE to its destination; opened when first needed.

    A context manager: the association is released at the end. Where it breaks, the instance under
    way fails and a new one is opened for the next; where none can be opened, all others fail.
    """

    def __init__(
        self,
        destination: "Destination",
        chosen: Sequence["Outgoing"],
        *,
        own_ae: str,
        originator_ae: str,
        originator_message_id: int,
    ) -> None:
        self._destination = destination
        kinds = ((one.sop_class_uid, one.digest.transfer_syntax) for one in chosen)
        self._batches = batches(proposals(kinds))
        self._ae = application_entity(own_ae)
        self._originator = (originator_ae, originator_message_id)
        self._message_ids = count()
        self._association: Association | None = None
        self._batch: tuple[Proposal, ...] = ()
        self._unreachable = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def accepted(self, outgoing: "Outgoing") -> Sequence[str]:
        """Return the transfer syntaxes in which the destination takes the class.

        Raises:
            PeerUnreachable: no association with the destination can be had.
        """
        association = self._to(_batch_for(self._batches, outgoing))
        return list(_contexts(association, outgoing.sop_class_uid))

    def store(self, outgoing: "Outgoing", prepared: "Prepared") -> int:
        """Store at the destination, named as the move originator asked (PS3.7 9.1.1.1)."""
        association = self._to(_batch_for(self._batches, outgoing))
        contexts = _contexts(association, outgoing.sop_class_uid)
        originator_ae, originator_message_id = self._originator
        message = StoreMessage(
            message_id=next(self._message_ids) % _MESSAGE_IDS + 1,
            sop_class_uid=outgoing.sop_class_uid,
            sop_instance_uid=outgoing.sop_instance_uid,
            originator_ae=originator_ae,
            originator_message_id=originator_message_id,
        )
        return store(association, contexts[prepared.transfer_syntax], message, prepared.chunks)

    def _to(self, batch: tuple[Proposal, ...]) -> Association:
        if self._association is not None and self._association.is_established:
            if batch == self._batch:
                return self._association
            self._close()
        if self._unreachable:
            raise PeerUnreachable("The move destination could not be reached.")
        self._association, self._batch = self._open(batch), batch
        return self._association

    def _open(self, batch: tuple[Proposal, ...]) -> Association:
        destination = self._destination
        association = self._ae.associate(
            destination.host,
            destination.port,
            contexts=[_context(proposal) for proposal in batch],
            ae_title=destination.ae_title,
        )
        if not association.is_established:
            self._unreachable = True
            why = "rejected the association" if association.is_rejected else "did not answer"
            raise PeerUnreachable(f"The move destination {why}.", ae_title=destination.ae_title)
        socket = association.dul.socket
        if socket is not None and socket.socket is not None:
            send_at_once(socket.socket)
        return association

    def _close(self) -> None:
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None


def _batch_for(
    all_batches: list[tuple[Proposal, ...]], outgoing: "Outgoing"
) -> tuple[Proposal, ...]:
    stored = outgoing.digest.transfer_syntax
    for batch in all_batches:
        for proposal in batch:
            if proposal.sop_class_uid == outgoing.sop_class_uid and stored in proposal.syntaxes:
                return batch
    raise NotAcceptable("No presentation context was proposed for it.", stored=stored)


def _context(proposal: Proposal) -> PresentationContext:
    return build_context(proposal.sop_class_uid, list(proposal.syntaxes))


def application_entity(ae_title: str) -> AE:
    """Return an application entity that opens associations under this title."""
    entity = AE(ae_title=ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = CONNECT_SECONDS
    entity.acse_timeout = ANSWER_SECONDS
    entity.dimse_timeout = ANSWER_SECONDS
    return entity
