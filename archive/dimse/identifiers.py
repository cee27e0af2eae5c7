"""Identifiers of C-FIND, C-MOVE and C-GET, read and written (PS3.4 Sections C.4.1 to C.4.3)."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO

from pydicom import DataElement, Dataset, Sequence
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_has_tag, dictionary_keyword, dictionary_VR, tag_for_keyword
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from archive.errors import InvalidQuery
from archive.reader import Level, Match, Selection
from archive.view.character_sets import UNICODE, coded
from archive.view.elements import form_of
from archive.view.transcode import UNREADABLE
from archive.words.uids import parse_uid

_NOT_KEYS = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC"})
_UNIQUE_KEYS: Mapping[Level, str] = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
}
FAILED_UIDS_LIMIT = 1000
"""UIDs in a Failed SOP Instance UID List: the value of an Explicit VR UI ends at 65,534 octets."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a peer asks for."""

    level: Level
    elements: Mapping[BaseTag, str]
    """VR of each element that was asked for, in ascending order of tags."""
    keys: Mapping[str, str]
    """Matching text by keyword, as on the wire; empty for universal matching."""


def read_identifier(octets: bytes, transfer_syntax: str, *, patient_root: bool) -> Identifier:
    """Return what an Identifier asks for.

    Raises:
        InvalidQuery: no Identifier, or its level is not one of the information model.
    """
    form = form_of(transfer_syntax)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data_set = read_dataset(BytesIO(octets), not form.explicit, not form.big)
            texts = {tag: _text(data_set, tag) for tag in sorted(data_set.keys())}
    except UNREADABLE as error:
        raise InvalidQuery("The Identifier cannot be read.") from error
    named = {_keyword(tag): text for tag, (_, text) in texts.items()}
    elements = {tag: vr for tag, (vr, _) in texts.items() if _keyword(tag) not in _NOT_KEYS}
    return Identifier(
        level=_level(named.get("QueryRetrieveLevel", ""), patient_root=patient_root),
        elements={tag: vr for tag, vr in elements.items() if tag.element},
        keys={key: text for key, text in named.items() if key and key not in _NOT_KEYS},
    )


def selection_of(identifier: Identifier) -> Selection:
    """Return what a C-MOVE or C-GET Identifier selects (PS3.4 Section C.4.2.1.4.2).

    Raises:
        InvalidQuery: the unique key of the level is missing.
        InvalidUid: a UID is not built as PS3.5 Section 9.1 asks; wildcards are not allowed here.
    """
    unique = _UNIQUE_KEYS[identifier.level]
    if not identifier.keys.get(unique, "").strip():
        raise InvalidQuery(f"{unique} is needed at this level.", level=identifier.level)
    return Selection(
        study_uids=_uids(identifier, "StudyInstanceUID"),
        series_uids=_uids(identifier, "SeriesInstanceUID"),
        sop_uids=_uids(identifier, "SOPInstanceUID"),
        patient_id=identifier.keys.get("PatientID", ""),
        issuer=identifier.keys.get("IssuerOfPatientID", ""),
    )


def _uids(identifier: Identifier, keyword: str) -> tuple[str, ...]:
    text = identifier.keys.get(keyword, "").strip()
    return tuple(parse_uid(uid) for uid in text.split("\\")) if text else ()


def _level(text: str, *, patient_root: bool) -> Level:
    try:
        level = Level(text.strip())
    except ValueError:
        raise InvalidQuery("QueryRetrieveLevel (0008,0052) is missing or unknown.") from None
    if level is Level.PATIENT and not patient_root:
        raise InvalidQuery("Study Root has no PATIENT level.")
    return level


def _text(data_set: Dataset, tag: BaseTag) -> tuple[str, str]:
    """Return an element's VR and its value as text, however odd the value."""
    raw = data_set.get_item(tag)
    try:
        element = data_set[tag]
    except (ValueError, TypeError, NotImplementedError, OverflowError):
        octets = raw.value if isinstance(raw.value, bytes) else b""
        return str(raw.VR or "UN"), octets.decode("ascii", "replace").strip("\0 ")
    if element.VR == "SQ" or element.value is None:
        return str(element.VR), ""
    values = element.value if element.VM > 1 else [element.value]
    return str(element.VR), "\\".join(str(value) for value in values)


def _keyword(tag: BaseTag) -> str:
    return dictionary_keyword(tag) if dictionary_has_tag(tag) else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One match as an Identifier."""

    octets: bytes
    complete: bool
    """Whether every key that was asked for is supported (0xFF00), or some is not (0xFF01)."""


def answer_of(
    match: Match, identifier: Identifier, *, retrieve_ae: str, transfer_syntax: str
) -> Answer:
    """Return a match as the peer asked for it (PS3.4 Section C.4.1.1.3.2).

    Asked keys that are not known are there, empty. A number of another trust for a person who has
    none with the asker is not given bare: only beside its issuer, if the issuer was asked for.
    """
    known = dict(match.attributes)
    if not match.local_number and "IssuerOfPatientID" not in identifier.keys:
        known["PatientID"] = ""
    data_set = Dataset()
    for tag, vr in identifier.elements.items():
        data_set[tag] = _element(tag, vr, known.get(_keyword(tag), ""))
    unique = _UNIQUE_KEYS[identifier.level]
    if unique not in data_set:
        _put(data_set, unique, known.get(unique, ""))
    if not match.local_number:
        _put(data_set, "IssuerOfPatientID", known.get("IssuerOfPatientID", ""))
    _put(data_set, "QueryRetrieveLevel", str(identifier.level))
    _put(data_set, "RetrieveAETitle", retrieve_ae)
    _put(data_set, "InstanceAvailability", match.availability)
    if not all(str(element.value).isascii() for element in data_set):
        _put(data_set, "SpecificCharacterSet", UNICODE)
    return Answer(
        coded(data_set, form_of(transfer_syntax)), complete=_is_complete(known, identifier)
    )


_ALWAYS_THERE = frozenset({"RetrieveAETitle", "InstanceAvailability"})


def _is_complete(known: Mapping[str, object], identifier: Identifier) -> bool:
    asked = {_keyword(tag) for tag in identifier.elements}
    return asked <= known.keys() | _ALWAYS_THERE


def failed_list(sop_instance_uids: Iterable[str], transfer_syntax: str) -> bytes:
    """Return the Identifier of a final response with failures (PS3.4 Section C.4.2.1.4.2)."""
    data_set = Dataset()
    _put(data_set, "FailedSOPInstanceUIDList", tuple(sop_instance_uids)[:FAILED_UIDS_LIMIT])
    return coded(data_set, form_of(transfer_syntax))


def _put(data_set: Dataset, keyword: str, value: object) -> None:
    tag = tag_for_keyword(keyword)
    if tag is None:  # pragma: no cover - every keyword here is the Standard's
        raise KeyError(keyword)
    data_set[tag] = _element(BaseTag(tag), dictionary_VR(tag), value)


def _element(tag: BaseTag, vr: str, value: object) -> DataElement:
    if vr == "SQ":
        return DataElement(tag, vr, Sequence())
    try:
        return DataElement(tag, vr, _plain(value), validation_mode=IGNORE)
    except (ValueError, TypeError, OverflowError):
        # A number in a stored object that is none: it cannot be given as one.
        return DataElement(tag, vr, None)


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [str(each) for each in _each(value)]
    return str(value)


def _each(values: Iterable[object]) -> Iterator[object]:
    yield from values
