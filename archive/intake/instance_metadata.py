"""The DICOM JSON of one instance for its pack (PS3.18 Section F.2), read where it lies.

Of ordinary instances it is written from the coded elements; whatever is odd is decoded by pydicom,
which gives the same for all others, but slowly.
"""

import json
from dataclasses import replace

from archive.errors import DataSetUnreadable
from archive.intake.coding import form_of
from archive.intake.compare import meta_of
from archive.intake.elements import Element
from archive.intake.fast_scan import find_elements
from archive.intake.plain import Apart, Stored, native_syntax
from archive.view.json_model import JsonObject, from_part10
from archive.view.json_octets import JsonTexts
from archive.view.json_values import Declined
from archive.view.transcode import UNREADABLE

LONGEST_VALUE = 1024 * 1024
"""A single value longer than this is bulk data, and not even read."""
HEADS = (64 * 1024, 1024 * 1024)
"""Octets of the Data Set that are looked at: most headers are short, some hold a long sequence."""


def instance_metadata(
    stored: Stored,
    *,
    sop_class_uid: str,
    sop_instance_uid: str,
    study_uid: str,
    series_uid: str,
    texts: JsonTexts | None = None,
) -> bytes:
    """Return the JSON object of an instance, in UTF-8.

    ``texts`` is shared by the instances of a series, which repeat most elements. An instance of
    which none can be made gets one with its four UIDs: a pack is complete.

    Raises:
        NotFound: the octets have moved; begin again.
        StorageFailed: the storage refused.
    """
    uids = {
        "00080016": sop_class_uid,
        "00080018": sop_instance_uid,
        "0020000D": study_uid,
        "0020000E": series_uid,
    }
    least: JsonObject = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}
    written = _written(stored, JsonTexts() if texts is None else texts)
    try:
        members = _members(_model(stored)) if written is None else written
    except (DataSetUnreadable, *UNREADABLE):
        members = {}
    return _object(members | _members(least))


def _written(stored: Stored, texts: JsonTexts) -> dict[str, str] | None:
    """Return the members of an ordinary instance's object, None of any other's."""
    size = stored.location.length - stored.location.data_set_offset
    explicit = form_of(stored.transfer_syntax).explicit
    for length in HEADS:
        head = _head(stored, min(length, size))
        elements = find_elements(head, size=size, transfer_syntax=stored.transfer_syntax)
        if elements is not None and elements.explicit is explicit:
            try:
                return texts.members(head, elements.found, explicit=explicit)
            except Declined:
                pass
        if len(head) == size:
            break
    return None


def _head(stored: Stored, length: int) -> bytes:
    where = stored.location
    offset = where.offset + where.data_set_offset
    head = replace(where, offset=offset, length=length, data_set_offset=0)
    return b"".join(stored.octets.whole(head))


def _model(stored: Stored) -> JsonObject:
    with Apart(stored) as apart:
        coded = apart.coded(leave_out=_is_bulk)
    return from_part10([meta_of(native_syntax(stored.transfer_syntax)), coded])


def _is_bulk(element: Element) -> bool:
    long = element.end - element.value_at > LONGEST_VALUE
    return long and not element.undefined and element.vr not in (b"SQ", b"")


def _members(model: JsonObject) -> dict[str, str]:
    """Return an object's members as text; what JSON cannot hold (NaN) is left out."""
    members = {}
    for tag, element in model.items():
        try:
            value = json.dumps(element, ensure_ascii=False, allow_nan=False)
        except ValueError:
            continue
        members[tag] = f'"{tag}":{value}'
    return members


def _object(members: dict[str, str]) -> bytes:
    """Return an object with its tags ascending."""
    return ("{" + ",".join(members[tag] for tag in sorted(members)) + "}").encode(
        "utf-8", "replace"
    )
