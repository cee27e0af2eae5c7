"""DICOM JSON Model objects (PS3.18 Section F.2) of Data Sets, bulk data left out."""

import io
import json
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from archive.view.json_values import BINARY, BULK_OCTETS
from archive.view.stamping import Stamping

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

JsonObject = dict[str, object]

_UTF_8 = {"vr": "CS", "Value": ["ISO_IR 192"]}


def from_part10(chunks: Iterable[bytes]) -> JsonObject:
    """Return the DICOM JSON of one instance's Part 10 octets, up to its Pixel Data.

    Text becomes UTF-8 and (0008,0005) says so. A value that its element's representation cannot
    hold is left out: JSON has no form for it.
    """
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = dcmread(io.BytesIO(b"".join(chunks)), stop_before_pixels=True, force=True)
        return from_data_set(data_set)


def from_data_set(data_set: "Dataset") -> JsonObject:
    """Return the DICOM JSON of a decoded Data Set without its bulk data and group lengths."""
    model: JsonObject = {}
    for tag in sorted(data_set.keys()):
        if tag.element == 0 or tag.group <= 2:  # noqa: PLR2004 - PS3.10 Section 7: File Meta
            continue
        value = _element(data_set, tag)
        if value is not None:
            model[f"{tag:08X}"] = value
    if "00080005" in model:
        model["00080005"] = _UTF_8
    return model


def stamped(model: JsonObject, stamping: Stamping) -> JsonObject:
    """Return the DICOM JSON with the view applied, as the stamped Data Set would give it."""
    from pydicom.dataset import Dataset

    from archive.view.stamp import stamp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = Dataset.from_json(json.dumps(model))
        stamp(data_set, stamping)
        return from_data_set(data_set)


def _element(data_set: "Dataset", tag: int) -> object | None:
    try:
        element = data_set[tag]
        if element.VR in BINARY and len(element.value or b"") > BULK_OCTETS:
            return None
        return element.to_json_dict(None, BULK_OCTETS)
    except Exception:  # noqa: BLE001 - pydicom raises whatever a broken value makes it raise
        return None
