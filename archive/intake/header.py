"""From the values of elements to the attributes that the index keeps."""

from collections.abc import Mapping

from archive.errors import InvalidUid
from archive.index.header import Header
from archive.intake.reasons import Reason, unreadable
from archive.view.decoding import decoded
from archive.words.uids import parse_uid

SPECIFIC_CHARACTER_SET = 0x00080005
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E

_IN_CHARACTER_SET = {
    0x00080050: "AccessionNumber",
    0x00081030: "StudyDescription",
    0x0008103E: "SeriesDescription",
    0x00100020: "PatientID",
    0x00100021: "IssuerOfPatientID",
    0x00200010: "StudyID",
}
_NAMES = {0x00080090: "ReferringPhysicianName", 0x00100010: "PatientName"}
_IN_ASCII = {
    0x00080020: "StudyDate",
    0x00080021: "SeriesDate",
    0x00080030: "StudyTime",
    0x00080031: "SeriesTime",
    0x00080060: "Modality",
    0x00100030: "PatientBirthDate",
    0x00100040: "PatientSex",
    0x00180015: "BodyPartExamined",
    0x00200011: "SeriesNumber",
    0x00200013: "InstanceNumber",
    0x00200060: "Laterality",
}
_KEYS = ("AccessionNumber", "PatientID", "StudyID", *_IN_ASCII.values())
_UIDS = (SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)

WANTED = frozenset(
    (SPECIFIC_CHARACTER_SET, *_UIDS, *_IN_CHARACTER_SET, *_NAMES, *_IN_ASCII),
)
"""What :func:`header_of` looks for, by tag."""

TEXT_LIMIT = 1024
"""Characters of a text that the index keeps; the Standard's longest of them has 324."""
KEY_LIMIT = 64
"""Characters of LO (PS3.5 Table 6.2-1), the longest VR of a key. A longer patient number is no
number of anybody: cut, it might be somebody else's; so it is with every key."""


def header_of(values: Mapping[int, bytes]) -> Header:
    """Return the attributes that the index keeps, out of the values of ``WANTED`` elements.

    Text is decoded by the object's own character set (PS3.3 Section C.12.1.1.2), where pydicom
    knows it, and as far as it can be; the octets stay as they are. Numbers, codes, dates and times
    that no index could hold are left out.

    Raises:
        DataSetUnreadable: NO_SOP_UID, NO_STUDY_UID, NO_SERIES_UID or UID_MALFORMED.
    """
    return Header(
        SOPClassUID=_uid(values, SOP_CLASS_UID, Reason.NO_SOP_UID),
        SOPInstanceUID=_uid(values, SOP_INSTANCE_UID, Reason.NO_SOP_UID),
        StudyInstanceUID=_uid(values, STUDY_INSTANCE_UID, Reason.NO_STUDY_UID),
        SeriesInstanceUID=_uid(values, SERIES_INSTANCE_UID, Reason.NO_SERIES_UID),
        **_texts(values),
    )


def _uid(values: Mapping[int, bytes], tag: int, when_absent: Reason) -> str:
    text = plain(values.get(tag, b"").decode("ascii", "replace"))
    if not text:
        raise unreadable(when_absent, "The Data Set lacks a UID.", tag=f"{tag:08X}")
    try:
        return parse_uid(text)
    except InvalidUid as error:
        raise unreadable(
            Reason.UID_MALFORMED, "A UID of the Data Set is not well built.", tag=f"{tag:08X}"
        ) from error


def _texts(values: Mapping[int, bytes]) -> dict[str, str]:
    texts = {
        keyword: plain(values.get(tag, b"").decode("ascii", "replace"))
        for tag, keyword in _IN_ASCII.items()
    }
    texts |= _in_character_set(values)
    texts |= {keyword: "" for keyword in _KEYS if len(texts[keyword]) > KEY_LIMIT}
    if not texts["InstanceNumber"].isascii():
        texts["InstanceNumber"] = ""
    return texts


def _in_character_set(values: Mapping[int, bytes]) -> dict[str, str]:
    """Return the texts that are in the object's character set."""
    character_set = values.get(SPECIFIC_CHARACTER_SET, b"")
    return {
        **{
            keyword: plain(_text(values.get(tag, b""), character_set))
            for tag, keyword in _IN_CHARACTER_SET.items()
        },
        **{
            keyword: plain(_name(values.get(tag, b""), character_set))
            for tag, keyword in _NAMES.items()
        },
    }


def _text(value: bytes, character_set: bytes) -> str:
    """Return one text, or several parted by backslashes, without padding."""
    several = decoded(value, character_set).split("\\")
    return "\\".join(one.rstrip("\0 ") for one in several)


def _name(value: bytes, character_set: bytes) -> str:
    """Return one name, or several, without padding and empty groups at the end."""
    several = decoded(value.rstrip(b"\0 "), character_set).split("\\")
    return "\\".join(one.rstrip("=") for one in several)


def plain(text: str) -> str:
    """Return a peer's text as rows can hold it: no padding, no NUL, no half characters, bounded."""
    whole = text.replace("\0", "")
    if not whole.isascii():
        whole = whole.encode("utf-8", "replace").decode()
    return whole.strip()[:TEXT_LIMIT]
