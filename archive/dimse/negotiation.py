"""Association negotiation as the acceptor: who may come, and in which contexts (PS3.8 7.1).

Every storage SOP class is accepted, private and unknown ones too, in the transfer syntax that
keeps most of what the sender has (:func:`archive.words.syntaxes.preferred`), and in either role.
"""

import logging
from typing import TYPE_CHECKING, cast

from pynetdicom import evt
from pynetdicom.acse import ACSE
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import ServiceClass, StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from archive.words.commitment import PUSH_MODEL
from archive.words.syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    preferred,
)

if TYPE_CHECKING:
    from archive.dimse.acceptor import Acceptor

LOGGER = logging.getLogger(__name__)

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""DICOM's only one (PS3.7 Section A.2.1)."""
VERIFICATION = "1.2.840.10008.1.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"

FIND = frozenset({PATIENT_ROOT_FIND, STUDY_ROOT_FIND})
MOVE = frozenset({PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE})
GET = frozenset({PATIENT_ROOT_GET, STUDY_ROOT_GET})
PATIENT_ROOT = frozenset({PATIENT_ROOT_FIND, PATIENT_ROOT_MOVE, PATIENT_ROOT_GET})
SERVED = frozenset({VERIFICATION}) | FIND | MOVE | GET
"""The abstract syntaxes served beside storage."""

QUERY_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)

REJECTED_PERMANENT = 0x01
BY_SERVICE_USER = 0x01
APPLICATION_CONTEXT_NAME_NOT_SUPPORTED = 0x02
CALLING_AE_TITLE_NOT_RECOGNISED = 0x03
"""Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""


class Negotiator(ACSE):
    """Negotiates for an :class:`~archive.dimse.acceptor.Acceptor`."""

    def _negotiate_as_acceptor(self) -> None:
        request = cast("A_ASSOCIATE", self.requestor.primitive)
        association = cast("Acceptor", self.assoc)
        if not association.admits(str(request.calling_ae_title).strip()):
            self._reject(CALLING_AE_TITLE_NOT_RECOGNISED)
            return
        if str(request.application_context_name) != APPLICATION_CONTEXT:
            self._reject(APPLICATION_CONTEXT_NAME_NOT_SUPPORTED)
            return
        proposed = [
            context
            for context in request.presentation_context_definition_list
            if context.transfer_syntax
        ]
        request.presentation_context_definition_list = proposed
        commits = association.offer.letterbox is not None
        self.acceptor.supported_contexts = _supported(proposed, commits=commits)
        super()._negotiate_as_acceptor()

    def _reject(self, reason: int) -> None:
        self.send_reject(REJECTED_PERMANENT, BY_SERVICE_USER, reason)
        self.assoc.is_rejected = True
        evt.trigger(self.assoc, evt.EVT_REJECTED, {})
        self.assoc.kill()


def is_storage(sop_class_uid: str) -> bool:
    """Tell whether a class is stored: a storage class, or one that nothing here knows at all."""
    service = uid_to_service_class(sop_class_uid)
    return issubclass(service, StorageServiceClass) or service is ServiceClass


def _supported(proposed: list[PresentationContext], *, commits: bool) -> list[PresentationContext]:
    """Return what to support of a proposal, having left in each context what to accept of it."""
    supported: dict[str, PresentationContext] = {}
    for context in proposed:
        sop_class = str(context.abstract_syntax)
        if sop_class in SERVED:
            supported[sop_class] = build_context(sop_class, list(QUERY_SYNTAXES))
        elif sop_class == PUSH_MODEL and commits:
            supported[sop_class] = _for_commitment()
        elif is_storage(sop_class):
            chosen = preferred([str(syntax) for syntax in context.transfer_syntax])
            context.transfer_syntax = [chosen]
            accepting = supported.setdefault(sop_class, _for_storage(sop_class))
            accepting.add_transfer_syntax(chosen)
    return list(supported.values())


def _for_storage(sop_class: str) -> PresentationContext:
    context = PresentationContext()
    context.abstract_syntax = sop_class
    context.scu_role = True
    context.scp_role = True
    return context


def _for_commitment() -> PresentationContext:
    """Return what is supported of Storage Commitment: the requestor as SCU alone."""
    context = build_context(PUSH_MODEL, list(QUERY_SYNTAXES))
    context.scu_role = True
    context.scp_role = False
    return context
