"""Matching of keys against attributes (PS3.4 Section C.2.2.2), on what the asker would see."""

import fnmatch
import re
from collections.abc import Callable, Mapping
from enum import StrEnum

from archive.errors import InvalidQuery
from archive.words.person_names import matches as names_match

Value = str | int | tuple[str, ...]
Attributes = Mapping[str, Value]


class Level(StrEnum):
    """Query/Retrieve Level (0008,0052)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


_NAMES = frozenset({"PatientName", "ReferringPhysicianName"})
_RANGES = frozenset({"StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "PatientBirthDate"})
_UIDS = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"})
_NUMBERS = frozenset({"SeriesNumber", "InstanceNumber"})
_LISTS = frozenset({"ModalitiesInStudy"})

_PATIENT_KEYS = frozenset(
    {"PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex"}
)
_STUDY_KEYS = frozenset(
    {
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "StudyID",
        "StudyDescription",
        "ReferringPhysicianName",
        "ModalitiesInStudy",
    }
)
_SERIES_KEYS = frozenset(
    {
        "SeriesInstanceUID",
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "BodyPartExamined",
        "Laterality",
        "SeriesDate",
        "SeriesTime",
    }
)
_IMAGE_KEYS = frozenset({"SOPInstanceUID", "SOPClassUID", "InstanceNumber"})

MATCHED: Mapping[Level, frozenset[str]] = {
    Level.PATIENT: _PATIENT_KEYS,
    Level.STUDY: _PATIENT_KEYS | _STUDY_KEYS,
    Level.SERIES: _PATIENT_KEYS | _STUDY_KEYS | _SERIES_KEYS,
    Level.IMAGE: _PATIENT_KEYS | _STUDY_KEYS | _SERIES_KEYS | _IMAGE_KEYS,
}
"""The keys that are matched at each level; others are returned where known, else empty."""

_DATE = re.compile(r"\d{8}")
_TIME = re.compile(r"\d{2,6}(\.\d{1,6})?")


def matching_keys(level: Level, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the keys that restrict a query at ``level``, checked.

    Raises:
        InvalidQuery: a range whose ends are no dates or times (PS3.4 Section C.2.2.2.5).
    """
    wanted = {
        keyword: text.strip()
        for keyword, text in keys.items()
        if keyword in MATCHED[level] and text.strip() not in ("", "*")
    }
    for keyword in wanted.keys() & _RANGES:
        _check_range(keyword, wanted[keyword])
    return wanted


def attribute_matches(keyword: str, pattern: str, attributes: Attributes) -> bool:
    """Tell whether one key matches (PS3.4 Sections C.2.2.2.1 to C.2.2.2.6)."""
    value = attributes.get(keyword, "")
    values = value if isinstance(value, tuple) else (str(value),)
    match = _matcher(keyword)
    return any(match(pattern, each.strip()) for each in values)


def _matcher(keyword: str) -> Callable[[str, str], bool]:
    for keywords, match in (
        (_UIDS, _in_list),
        (_NAMES, names_match),
        (_RANGES, in_range),
        (_NUMBERS, _same_number),
        (_LISTS, _globs),
    ):
        if keyword in keywords:
            return match
    return _glob


def uid_list(pattern: str) -> tuple[str, ...]:
    """Return the values of a list-of-UID key (PS3.4 Section C.2.2.2.2)."""
    return tuple(part.strip() for part in re.split(r"[\\,]", pattern) if part.strip())


def range_ends(pattern: str) -> tuple[str, str]:
    """Return both ends of a range, a single value as both; an open end is empty."""
    if "-" not in pattern:
        return pattern, pattern
    low, _, high = pattern.partition("-")
    return low.strip(), high.strip()


def in_range(pattern: str, value: str) -> bool:
    """Tell whether a DA or TM value lies in a range; precision is that of each end."""
    if not value:
        return False
    low, high = (end.replace(":", "") for end in range_ends(pattern))
    plain = value.replace(":", "")
    return (not low or plain >= low) and (not high or plain[: len(high)] <= high)


def has_wildcard(pattern: str) -> bool:
    """Tell whether a pattern has wildcards (PS3.4 Section C.2.2.2.4)."""
    return "*" in pattern or "?" in pattern


def like_pattern(pattern: str) -> str:
    r"""Return a wildcard pattern as SQL LIKE's, with ``\`` as its escape."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _check_range(keyword: str, pattern: str) -> None:
    form = _TIME if keyword.endswith("Time") else _DATE
    low, high = range_ends(pattern)
    ends = [end.replace(":", "") for end in (low, high) if end]
    if not ends or any(not form.fullmatch(end) for end in ends):
        raise InvalidQuery("A range needs dates (YYYYMMDD) or times (HHMMSS).", keyword=keyword)


def _same_number(pattern: str, text: str) -> bool:
    try:
        return int(pattern) == int(text)
    except ValueError:
        return pattern == text


def _in_list(pattern: str, text: str) -> bool:
    return text in uid_list(pattern)


def _globs(pattern: str, text: str) -> bool:
    return any(_glob(each, text) for each in uid_list(pattern))


def _glob(pattern: str, text: str) -> bool:
    if not has_wildcard(pattern):
        return pattern == text
    escaped = pattern.replace("[", "[[]")
    return fnmatch.fnmatchcase(text, escaped)
