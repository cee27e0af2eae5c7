"""ORU^R01 (HL7 2.5 Section 7.3.1): which study a report is of, how final it is, what it says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archive.words.uids import is_uid
from local_node.hl7.segments import NULL, Segment, Structure

_STATUSES = frozenset("AFCPRSIOXYZDNUW")
"""HL7 tables 0123 (OBR-25) and 0085 (OBX-11)."""
_STUDY_UID_CODES = frozenset({"113014", "110180"})
"""DCM: Study, and Study Instance UID (PS3.16 Annex D)."""
_STUDY_UID_TEXT = "STUDY INSTANCE UID"
_PROSE = frozenset({"TX", "FT", "ST"})


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """One report, which its message carries whole."""

    title: str
    """OBR-4: the text of the procedure, else its code."""
    status: str
    """F final, P preliminary, C corrected, … as sent in OBR-25, else OBX-11; empty if neither."""
    accession: str
    """OBR-18, else OBR-3 (filler), else OBR-2 (placer), of the first OBR that has one."""
    accessions: tuple[str, ...]
    """Those of every OBR, each once."""
    study_instance_uid: str
    """Empty when none is told or it is not built as a UID."""
    study_uid_unusable: bool
    """One is told that is not built as a UID."""
    text: str
    """OBX-5 of every TX, FT and ST, one a line."""


def read_report(structure: Structure) -> Report:
    """Read the report of an ORU."""
    requests = list(structure.all("OBR"))
    observations = list(structure.all("OBX"))
    accessions = tuple(dict.fromkeys(filter(None, map(_accession, requests))))
    told_uids = list(_study_uids(structure, observations))
    uids = [uid for uid in told_uids if is_uid(uid)]
    return Report(
        title=next(filter(None, map(_title, requests)), ""),
        status=_status(requests, observations),
        accession=accessions[0] if accessions else "",
        accessions=accessions,
        study_instance_uid=uids[0] if uids else "",
        study_uid_unusable=bool(told_uids) and not uids,
        text="\n".join(_prose(observations)),
    )


def _title(request: Segment) -> str:
    return request.part(4, 2) or request.part(4)


def _accession(request: Segment) -> str:
    return next((value for number in (18, 3, 2) if (value := _value(request, number))), "")


def _value(segment: Segment, number: int) -> str:
    value = segment.part(number)
    return "" if value == NULL else value


def _status(requests: Sequence[Segment], observations: Sequence[Segment]) -> str:
    sent = [request.part(25).upper() for request in requests]
    sent += [observation.part(11).upper() for observation in observations]
    return next((status for status in sent if status in _STATUSES), "")


def _study_uids(structure: Structure, observations: Sequence[Segment]) -> Iterator[str]:
    for observation in filter(_names_the_study, observations):
        yield _value(observation, 5)
    for zds in structure.all("ZDS"):
        yield _value(zds, 1)


def _names_the_study(observation: Segment) -> bool:
    code, text, scheme = (observation.part(3, component) for component in (1, 2, 3))
    if code in _STUDY_UID_CODES and scheme == "DCM":
        return True
    return _STUDY_UID_TEXT in {code.upper(), text.upper()}


def _prose(observations: Sequence[Segment]) -> Iterator[str]:
    for observation in observations:
        if observation.part(2).upper() in _PROSE and not _names_the_study(observation):
            yield from (repeat.prose() for repeat in observation.repeats(5))
