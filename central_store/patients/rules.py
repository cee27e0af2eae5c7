"""The decision table: whether two records may be one person's.

The rows stand in their order, the most restrictive first; the first that applies decides. What
no row links stays apart: at most it is shown to a person. Nothing here knows a database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from archive.words.nhs import NhsStatus
from central_store.patients.comparison import (
    Agreement,
    Authorities,
    BirthDates,
    Evidence,
    Families,
    Givens,
    Numbers,
    compare,
)
from central_store.patients.demographics import Demographics


class Outcome(StrEnum):
    """What a row says should become of a pair."""

    CONFIRMED = "CONFIRMED"
    """Link."""
    CONFIRMED_NOTED = "CONFIRMED_NOTED"
    """Link, with a note that people see."""
    PROVISIONAL = "PROVISIONAL"
    """Show as "possible match, confirm"; reports stay hidden until somebody has. Trace."""
    QUARANTINED = "QUARANTINED"
    """Do not link; something is wrong that a person must look at."""
    WAIT = "WAIT"
    """Do not link; judge again when the trace has ended."""
    SUGGESTION = "SUGGESTION"
    """Do not link; a person may, with a reason."""
    FLAG_DUPLICATE = "FLAG_DUPLICATE"
    """Do not link; tell the data-quality team that a patient or a number may be there twice."""
    NO_LINK = "NO_LINK"


class Row(StrEnum):
    """The rows by name, so that evidence can cite the one that decided."""

    ONE_RECORD = "one-record"
    SAME_AUTHORITY_DUPLICATE = "same-authority-duplicate"
    SAME_AUTHORITY = "same-authority"
    NUMBER_IN_CONFLICT = "number-in-conflict"
    WRONG_NUMBER = "wrong-number"
    TWINS = "twins"
    TRACE_FAILED = "trace-failed"
    NUMBER_NOT_EXPECTED = "number-not-expected"
    TRACE_IN_PROGRESS = "trace-in-progress"
    PLACEHOLDER_NAME = "placeholder-name"
    BIRTH_DATE_MISSING = "birth-date-missing"
    BABY = "baby"
    UNVERIFIED = "unverified"
    BIRTH_DATE_SLIP = "birth-date-slip"
    VERIFIED = "verified"
    MARRIAGE = "marriage"
    OTHER_NAMES = "other-names"
    NUMBER_ALONE = "number-alone"
    NUMBER_DUPLICATE = "number-duplicate"
    OTHER_NUMBER_UNVERIFIED = "other-number-unverified"
    OTHER_NUMBER = "other-number"
    DEMOGRAPHICS_ONLY = "demographics-only"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    row: Row
    outcome: Outcome
    reason: str
    """One sentence for the person who looks; it names no patient."""
    applies: Callable[[Evidence], bool]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was decided about a pair, by which row, and on what grounds."""

    outcome: Outcome
    row: Row
    reason: str
    evidence: Evidence


def judge(a: Demographics, b: Demographics) -> Judgement:
    """Decide about two records. The order of the two never matters."""
    evidence = compare(a, b)
    rule = next(rule for rule in TABLE if rule.applies(evidence))
    return Judgement(rule.outcome, rule.row, rule.reason, evidence)


# --- what the rows ask ----------------------------------------------------------------------


def _equal_numbers(e: Evidence) -> bool:
    return e.numbers is Numbers.EQUAL


def _same_authority(e: Evidence) -> bool:
    return e.authorities is Authorities.SAME


def _verified(e: Evidence) -> bool:
    return e.statuses == (NhsStatus.VERIFIED, NhsStatus.VERIFIED)


def _status(status: NhsStatus) -> Callable[[Evidence], bool]:
    return lambda e: _equal_numbers(e) and status in e.statuses


def _people_agree(e: Evidence) -> bool:
    """Given initial and sex agree."""
    return e.given in {Givens.EQUAL, Givens.AGREE} and e.sex is Agreement.AGREE


def _same_demographics(e: Evidence) -> bool:
    """Birth date and family name are equal, given name and sex agree, and all of it is real."""
    equal = e.birth_dates is BirthDates.EQUAL and e.family is Families.EQUAL
    return equal and _people_agree(e) and not e.placeholder


def _birth_date_slip(e: Evidence) -> bool:
    near = _equal_numbers(e) and _verified(e) and e.birth_dates is BirthDates.NEAR
    return near and e.family is Families.EQUAL and _people_agree(e) and not e.placeholder


def _wrong_number(e: Evidence) -> bool:
    """Apply to every difference of birth dates that the row for slips does not excuse."""
    differ = e.birth_dates in {BirthDates.DIFFERENT, BirthDates.NEAR}
    return _equal_numbers(e) and differ and not _birth_date_slip(e)


_ONE_FAMILY = frozenset({Families.EQUAL, Families.ALIAS, Families.PHONETIC, Families.PARTLY})


def _twins(e: Evidence) -> bool:
    born_together = _equal_numbers(e) and e.birth_dates is BirthDates.EQUAL
    two = e.sex is Agreement.CONFLICT or e.given is Givens.CONFLICT
    return born_together and e.family in _ONE_FAMILY and two


def _baby(e: Evidence) -> bool:
    return _status(NhsStatus.POSTPONED)(e) and e.given is not Givens.EQUAL


def _linkable(e: Evidence) -> bool:
    verified = _equal_numbers(e) and _verified(e) and e.birth_dates is BirthDates.EQUAL
    return verified and e.sex is Agreement.AGREE


_ONE_FAMILY_NAME = frozenset({Families.EQUAL, Families.ALIAS, Families.PHONETIC})
_OTHER_FAMILY_NAME = frozenset({Families.PARTLY, Families.DIFFERENT})


def _same_person(e: Evidence) -> bool:
    return _linkable(e) and e.family in _ONE_FAMILY_NAME and _people_agree(e)


def _married(e: Evidence) -> bool:
    return _linkable(e) and e.family in _OTHER_FAMILY_NAME and e.given is Givens.EQUAL


def _other_names(e: Evidence) -> bool:
    other_family = e.family in _OTHER_FAMILY_NAME
    return _equal_numbers(e) and other_family and e.given is Givens.CONFLICT


def _different_numbers(e: Evidence) -> bool:
    return e.numbers is Numbers.DIFFERENT


def _demographics_only(e: Evidence) -> bool:
    return (
        e.numbers is Numbers.ABSENT
        and e.birth_dates is BirthDates.EQUAL
        and e.family is Families.EQUAL
        and e.given in {Givens.EQUAL, Givens.AGREE}
        and e.postcode is Agreement.AGREE
        and e.sex is not Agreement.CONFLICT
        and not e.placeholder
    )


# --- the table ------------------------------------------------------------------------------

TABLE: tuple[Rule, ...] = (
    Rule(
        Row.ONE_RECORD,
        Outcome.NO_LINK,
        "Both are the same record of the same authority.",
        lambda e: e.authorities is Authorities.ONE_PATIENT,
    ),
    Rule(
        Row.SAME_AUTHORITY_DUPLICATE,
        Outcome.FLAG_DUPLICATE,
        "One authority has this NHS number under two of its own: registered twice, or wrong.",
        lambda e: _same_authority(e) and _equal_numbers(e),
    ),
    Rule(
        Row.SAME_AUTHORITY,
        Outcome.NO_LINK,
        "Two records of one authority are two patients until that authority merges them.",
        _same_authority,
    ),
    Rule(
        Row.NUMBER_IN_CONFLICT,
        Outcome.QUARANTINED,
        "The trace of one number found a conflict that is not resolved (status 05).",
        _status(NhsStatus.TO_BE_RESOLVED),
    ),
    Rule(
        Row.WRONG_NUMBER,
        Outcome.QUARANTINED,
        "Equal NHS numbers, different birth dates: one record may carry a wrong number.",
        _wrong_number,
    ),
    Rule(
        Row.TWINS,
        Outcome.QUARANTINED,
        "Equal NHS numbers, surnames and birth dates, but given name or sex differ: twins?",
        _twins,
    ),
    Rule(
        Row.TRACE_FAILED,
        Outcome.SUGGESTION,
        "The trace of one number found nobody or several people (status 04): a person decides.",
        _status(NhsStatus.NO_SINGLE_MATCH),
    ),
    Rule(
        Row.NUMBER_NOT_EXPECTED,
        Outcome.SUGGESTION,
        "One status says that no number is present (07): only a person pairs.",
        _status(NhsStatus.NOT_REQUIRED),
    ),
    Rule(
        Row.TRACE_IN_PROGRESS,
        Outcome.WAIT,
        "One number is being traced (status 06): judged again when the trace has ended.",
        _status(NhsStatus.TRACE_IN_PROGRESS),
    ),
    Rule(
        Row.PLACEHOLDER_NAME,
        Outcome.SUGGESTION,
        "Equal NHS numbers, but one name is a placeholder, and that is nobody's name.",
        lambda e: _equal_numbers(e) and e.placeholder,
    ),
    Rule(
        Row.BIRTH_DATE_MISSING,
        Outcome.SUGGESTION,
        "Equal NHS numbers, but one birth date is missing, partial or a placeholder.",
        lambda e: _equal_numbers(e) and e.birth_dates is BirthDates.MISSING,
    ),
    Rule(
        Row.BABY,
        Outcome.SUGGESTION,
        "A baby's trace is postponed (status 08): the number may be its mother's or twin's.",
        _baby,
    ),
    Rule(
        Row.UNVERIFIED,
        Outcome.PROVISIONAL,
        "Everything is equal, but one number is not verified.",
        lambda e: _equal_numbers(e) and not _verified(e) and _same_demographics(e),
    ),
    Rule(
        Row.BIRTH_DATE_SLIP,
        Outcome.PROVISIONAL,
        "Verified numbers and names are equal; the birth dates differ like a slip of the hand.",
        _birth_date_slip,
    ),
    Rule(
        Row.VERIFIED,
        Outcome.CONFIRMED,
        "Verified numbers and birth dates are equal; family name, given name and sex agree.",
        _same_person,
    ),
    Rule(
        Row.MARRIAGE,
        Outcome.CONFIRMED_NOTED,
        "Verified numbers, birth dates, given names and sex are equal under another family name.",
        _married,
    ),
    Rule(
        Row.OTHER_NAMES,
        Outcome.SUGGESTION,
        "Equal NHS numbers, but family and given name are other ones.",
        _other_names,
    ),
    Rule(
        Row.NUMBER_ALONE,
        Outcome.SUGGESTION,
        "Equal NHS numbers; what is said beside them is too little.",
        _equal_numbers,
    ),
    Rule(
        Row.NUMBER_DUPLICATE,
        Outcome.FLAG_DUPLICATE,
        "Two verified NHS numbers, and everything else is equal: one person may have two.",
        lambda e: _different_numbers(e) and _verified(e) and _same_demographics(e),
    ),
    Rule(
        Row.OTHER_NUMBER_UNVERIFIED,
        Outcome.SUGGESTION,
        "The NHS numbers differ, one is not verified, and everything else is equal.",
        lambda e: _different_numbers(e) and not _verified(e) and _same_demographics(e),
    ),
    Rule(
        Row.OTHER_NUMBER,
        Outcome.NO_LINK,
        "The NHS numbers differ.",
        _different_numbers,
    ),
    Rule(
        Row.DEMOGRAPHICS_ONLY,
        Outcome.SUGGESTION,
        "One NHS number is absent; birth date, names and postcode agree.",
        _demographics_only,
    ),
    Rule(
        Row.NOTHING,
        Outcome.NO_LINK,
        "Nothing says that these are one person.",
        lambda _: True,
    ),
)
