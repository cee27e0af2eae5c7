"""Matches as DICOM JSON Model objects (PS3.18 Section F.2), and which attributes they show.

Every match shows what Tables 10.6.3-3, -4 and -5 of PS3.18 ask for as far as the index knows it,
what the query names, and beside Patient ID always its issuer.
"""

from collections.abc import Mapping

from pydicom.datadict import dictionary_VR, tag_for_keyword

from archive.index.matching import Value
from archive.reader import Level, Match

JsonObject = dict[str, object]

_STUDY = frozenset(
    "StudyDate StudyTime AccessionNumber ModalitiesInStudy ReferringPhysicianName PatientName"
    " PatientID IssuerOfPatientID PatientBirthDate PatientSex StudyInstanceUID StudyID"
    " StudyDescription NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances".split()
)
_SERIES = frozenset(
    "Modality SeriesDescription StudyInstanceUID SeriesInstanceUID SeriesNumber"
    " NumberOfSeriesRelatedInstances".split()
)
_IMAGE = frozenset(
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID InstanceNumber"
    " AvailableTransferSyntaxUID".split()
)
_NUMBERS = frozenset({"IS", "US", "UL", "SS", "SL"})
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def shown_attributes(level: Level, *, in_study: bool, in_series: bool) -> frozenset[str]:
    """Return what every match at a level shows.

    Outside of a named study a series or instance shows its study's attributes too, an instance
    outside of a named series those of its series (PS3.18 Tables 10.6.3-4 and 10.6.3-5).
    """
    shown = {Level.SERIES: _SERIES, Level.IMAGE: _IMAGE}.get(level, _STUDY)
    if level is Level.IMAGE and not in_series:
        shown |= _SERIES
    return shown if in_study else shown | _STUDY


def match_json(match: Match, shown: frozenset[str] | None, *, base: str) -> JsonObject:
    """Return a match as DICOM JSON; ``shown`` None is everything known.

    ``base`` is the URL of the DICOMweb service.
    """
    known = match.attributes
    values: dict[str, Value] = {
        keyword: value for keyword, value in known.items() if shown is None or keyword in shown
    }
    if "PatientID" in values:
        values["IssuerOfPatientID"] = known["IssuerOfPatientID"]
    values |= {
        "SpecificCharacterSet": "ISO_IR 192",
        "InstanceAvailability": match.availability,
        "RetrieveURL": retrieve_url(known, base),
    }
    model = {_tag(keyword): _element(keyword, value) for keyword, value in values.items()}
    return dict(sorted(model.items()))


def retrieve_url(attributes: Mapping[str, Value], base: str) -> str:
    """Return where what an answer or instance describes can be retrieved (PS3.18 Section 10.1)."""
    url = f"{base}/studies/{attributes['StudyInstanceUID']}"
    for name, keyword in (("series", "SeriesInstanceUID"), ("instances", "SOPInstanceUID")):
        if keyword in attributes:
            url += f"/{name}/{attributes[keyword]}"
    return url


def _tag(keyword: str) -> str:
    return f"{tag_for_keyword(keyword):08X}"


def _element(keyword: str, value: Value) -> JsonObject:
    vr = dictionary_VR(keyword)
    values = value if isinstance(value, tuple) else (value,)
    coded = [_value(vr, each) for each in values if each != ""]
    return {"vr": vr, "Value": coded} if coded else {"vr": vr}


def _value(vr: str, value: str | int) -> object:
    if vr == "PN":
        groups = zip(_NAME_GROUPS, str(value).split("="), strict=False)
        return {name: text for name, text in groups if text}
    if vr in _NUMBERS:
        return _number(value)
    return str(value)


def _number(value: str | int) -> str | int:
    """Return a whole number as JSON's, anything else as its characters (PS3.18 Section F.2.3)."""
    try:
        return int(value)
    except ValueError:
        return value
