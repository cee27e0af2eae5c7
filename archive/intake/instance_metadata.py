"""The DICOM JSON of one instance for its pack (PS3.18 Section F.2), read where it lies."""

import json

from archive.errors import DataSetUnreadable
from archive.intake.compare import meta_of
from archive.intake.elements import Element
from archive.intake.plain import Apart, Stored, native_syntax
from archive.view.json_model import JsonObject, from_part10
from archive.view.transcode import UNREADABLE

LONGEST_VALUE = 1024 * 1024
"""A single value longer than this is bulk data, and not even read."""


def instance_metadata(
    stored: Stored, *, sop_class_uid: str, sop_instance_uid: str, study_uid: str, series_uid: str
) -> bytes:
    """Return the JSON object of an instance, in UTF-8.

    An instance of which none can be made gets one with its four UIDs: a pack is complete.

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
    try:
        return _coded({**_model(stored), **least})
    except (DataSetUnreadable, *UNREADABLE):
        return _coded(least)


def _model(stored: Stored) -> JsonObject:
    with Apart(stored) as apart:
        coded = apart.coded(leave_out=_is_bulk)
    return from_part10([meta_of(native_syntax(stored.transfer_syntax)), coded])


def _is_bulk(element: Element) -> bool:
    long = element.end - element.value_at > LONGEST_VALUE
    return long and not element.undefined and element.vr not in (b"SQ", b"")


def _coded(model: JsonObject) -> bytes:
    """Return the object with its tags ascending; what JSON cannot hold (NaN) is left out."""
    parts = []
    for tag in sorted(model):
        try:
            value = json.dumps(model[tag], ensure_ascii=False, allow_nan=False)
        except ValueError:
            continue
        parts.append(f'"{tag}":{value}')
    return ("{" + ",".join(parts) + "}").encode("utf-8", "replace")
