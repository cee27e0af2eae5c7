"""What register() is to answer where a SOP Instance UID is taken."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from archive.index.header import Arrived, Elsewhere
from archive.index.members import Holding
from archive.index.register import Answer, Verdict, preliminary
from archive.index.studies import series_rows, study_row
from archive.intake.compare import NOT_COMPARABLE, Comparison, compare
from archive.intake.plain import Stored
from archive.reader import Octets

_KEYWORDS_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Rival:
    """What is held under the UID of an instance that arrived."""

    holding: Holding
    custodian_id: int
    study_instance_uid: str
    series_instance_uid: str


def rival_of(conn: Connection, arrived: Arrived) -> Rival | None:
    """Return what must be compared with ``arrived`` first; None where nothing must."""
    holdings = preliminary(conn, arrived)
    if not holdings:
        return None
    first = holdings[0]
    study = study_row(conn, first.study_key)
    uids = {row.series_no: row.series_instance_uid for row in series_rows(conn, first.study_key)}
    return Rival(first, study.custodian_id, study.study_instance_uid, uids[first.series_no])


def verdict(octets: Octets, arrived: Arrived, rival: Rival) -> Verdict:
    """Compare an instance with its rival; both are read where they lie.

    Objects announced but not here cannot be compared: see :func:`without_comparison`.

    Raises:
        NotFound: the rival has moved meanwhile; ask again.
        StorageFailed: the storage refused.
    """
    return _verdict(arrived, rival, lambda: _compared(octets, arrived, rival.holding))


def needs_octets(arrived: Arrived, rival: Rival) -> bool:
    """Tell whether both must be read for a verdict: it takes longer than all else of intake."""
    held = rival.holding
    if held.member.sha256 == arrived.digest.sha256 or isinstance(held.location, Elsewhere):
        return False
    is_own = rival.custodian_id == arrived.source.organisation_id
    return not (is_own and _other_place(arrived, rival))


def without_comparison(arrived: Arrived, rival: Rival) -> Verdict:
    """Return the verdict where the rival's octets stay out of reach.

    Nothing proves that it is the same object: a person decides, as where the content differs.
    """
    return _verdict(arrived, rival, lambda: NOT_COMPARABLE)


def _verdict(arrived: Arrived, rival: Rival, compared: Callable[[], Comparison]) -> Verdict:
    if rival.custodian_id != arrived.source.organisation_id:
        return _echo(arrived, rival, compared)
    of_sha256 = rival.holding.member.sha256
    elsewhere = _other_place(arrived, rival)
    if elsewhere:
        return Verdict(Answer.CONFLICTING, of_sha256, ",".join(elsewhere))
    if of_sha256 == arrived.digest.sha256:
        return Verdict(Answer.SAME_CONTENT, of_sha256)
    found = compared()
    if not found.same_content:
        return Verdict(Answer.CONFLICTING, of_sha256, _keywords(found.differing))
    answer = Answer.REVISED if found.differing else Answer.SAME_CONTENT
    return Verdict(answer, of_sha256, _keywords(found.differing))


def _echo(arrived: Arrived, rival: Rival, compared: Callable[[], Comparison]) -> Verdict:
    """Tell a delivered rendition that came back from an object of the trust's own."""
    of_sha256 = rival.holding.member.sha256
    same_octets = of_sha256 == arrived.digest.sha256
    if same_octets or compared().same_content:
        return Verdict(Answer.ECHO, of_sha256)
    return Verdict(Answer.REGISTERED, of_sha256)


def _other_place(arrived: Arrived, rival: Rival) -> list[str]:
    header = arrived.header
    pairs = {
        "SOPClassUID": (header.SOPClassUID, rival.holding.member.sop_class_uid),
        "StudyInstanceUID": (header.StudyInstanceUID, rival.study_instance_uid),
        "SeriesInstanceUID": (header.SeriesInstanceUID, rival.series_instance_uid),
    }
    return [keyword for keyword, (its, held) in pairs.items() if its != held]


def _compared(octets: Octets, arrived: Arrived, holding: Holding) -> Comparison:
    if isinstance(holding.location, Elsewhere):
        return NOT_COMPARABLE
    held = Stored(octets, holding.location, holding.member.transfer_syntax)
    came = Stored(octets, arrived.location, arrived.digest.transfer_syntax)
    return compare(held, came)


def _keywords(tags: Iterable[int]) -> str:
    from pydicom.datadict import keyword_for_tag

    names = [keyword_for_tag(tag) or f"({tag >> 16:04X}:{tag & 0xFFFF:04X})" for tag in tags]
    more = ["…"] if len(names) > _KEYWORDS_LIMIT else []
    return ",".join([*names[:_KEYWORDS_LIMIT], *more])
