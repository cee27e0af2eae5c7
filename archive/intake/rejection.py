"""Rejection notes (IHE RAD TF-2, Imaging Object Change Management): what they name is hidden.

A note is a Key Object Selection Document (PS3.3 Section A.35.4) whose title (PS3.16 CID 7010) says
that what it references is not to be used. Octets are kept; no door shows them any more, nor the
note. References by UID hold for whatever octets come under it, also later.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from archive.errors import DataSetUnreadable, InvalidUid
from archive.index.header import Arrived
from archive.index.overlay import ANY_OCTETS, Overlay, StateRow, overlay, set_states
from archive.intake.plain import Apart, Stored
from archive.reader import Octets
from archive.states import INSTANCE_MOVES, InstanceState
from archive.view.transcode import UNREADABLE
from archive.words.uids import KEY_OBJECT_SELECTION, parse_uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TITLES = frozenset(("113001", "113037", "113038", "113039"))
"""Rejected for Quality Reasons, for Patient Safety Reasons, Incorrect Modality Worklist Entry, Data
Retention Policy Expired; all of scheme DCM."""
NOTE = "REJECTION_NOTE"
"""State code of the note itself."""

_EVIDENCE = "CurrentRequestedProcedureEvidenceSequence"
_CONTENT = "ContentSequence"


@dataclass(frozen=True, slots=True)
class Rejection:
    """What a rejection note says."""

    code: str
    """Its title, one of ``TITLES``."""
    rejected: tuple[str, ...]
    """SOP Instance UIDs, each once."""


def rejection_in(octets: Octets, arrived: Arrived) -> Rejection | None:
    """Return what an instance rejects; None for what is no rejection note."""
    if arrived.header.SOPClassUID != KEY_OBJECT_SELECTION:
        return None
    stored = Stored(octets, arrived.location, arrived.digest.transfer_syntax)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Apart(stored) as apart:
                return _rejection(apart.data_set(), arrived.header.SOPInstanceUID)
    except (DataSetUnreadable, *UNREADABLE):
        return None


def reject(conn: Connection, arrived: Arrived, rejection: Rejection, *, at_ms: int) -> None:
    """Hide what a note names, and the note, in the transaction that registers it.

    Only objects of the note's own custodian are touched. What is deleted already stays so.
    """
    note = arrived.header.SOPInstanceUID
    codes = {**dict.fromkeys(rejection.rejected, rejection.code), note: NOTE}
    said = overlay(conn, arrived.source.organisation_id, codes)
    rows = [
        _row(uid, code, note, arrived, at_ms)
        for uid, code in codes.items()
        if _may_be_rejected(said, uid)
    ]
    set_states(conn, custodian=arrived.source.organisation, rows=rows)


def _may_be_rejected(said: Overlay, uid: str) -> bool:
    now = said.rows.get((uid, ANY_OCTETS))
    before = InstanceState.VISIBLE if now is None else now.state
    return before is InstanceState.REJECTED or InstanceState.REJECTED in INSTANCE_MOVES[before]


def _row(uid: str, code: str, note: str, arrived: Arrived, at_ms: int) -> StateRow:
    return StateRow(
        sop_instance_uid=uid,
        sha256=ANY_OCTETS,
        state=InstanceState.REJECTED,
        serves=True,
        code=code,
        actor=f"note {note}",
        at_ms=at_ms,
        numbered_by=arrived.source.node,
    )


def _rejection(data_set: "Dataset", note: str) -> Rejection | None:
    code = _title(data_set)
    if code not in TITLES:
        return None
    named = (*_references(data_set.get(_EVIDENCE)), *_references(data_set.get(_CONTENT)))
    return Rejection(code, tuple(uid for uid in dict.fromkeys(named) if uid != note))


def _title(data_set: "Dataset") -> str:
    names = data_set.get("ConceptNameCodeSequence") or ()
    for name in names:
        if str(name.get("CodingSchemeDesignator", "")).strip() == "DCM":
            return str(name.get("CodeValue", "")).strip()
    return ""


def _references(items: object) -> Iterator[str]:
    """Yield every well-built Referenced SOP Instance UID in some items, however deep."""
    for item in items or ():  # type: ignore[attr-defined]
        for element in item:
            if element.VR == "SQ":
                yield from _references(element.value)
            elif element.keyword == "ReferencedSOPInstanceUID":
                yield from _well_built(str(element.value or ""))


def _well_built(text: str) -> Iterator[str]:
    try:
        yield parse_uid(text)
    except InvalidUid:
        return
