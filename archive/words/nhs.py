"""The NHS number, how far its owner was traced, and where it may be used.

The check digit is computed by the maintained package ``nhs-number``. Its ``is_valid`` is not
used: it takes the ten numbers of one repeated digit and digits of other scripts, and refuses
numbers by a guess at Scottish birth dates.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from nhs_number.validate import calculate_checksum

_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u2212]")
_TEN_DIGITS = re.compile(r"[0-9]{10}")
_CHECK_DIGIT_NEVER_ISSUED = 10


class NumberFault(StrEnum):
    """Why a text is no NHS number."""

    ABSENT = "absent"
    """Nothing is there, or HL7's explicit null."""
    NOT_TEN_DIGITS = "not-ten-digits"
    """Without spaces and hyphens it is anything but ten ASCII digits."""
    WRONG_CHECK_DIGIT = "wrong-check-digit"
    """Modulus 11 gives another check digit, or 10, with which no number is issued."""
    ONE_REPEATED_DIGIT = "one-repeated-digit"
    """0000000000 to 9999999999 satisfy Modulus 11 and were never anybody's."""


class NumberRange(StrEnum):
    """Which range a number lies in. For people to read; no rule depends on it."""

    CHI = "CHI"
    """Scotland, whose numbers begin with the birth date as DDMMYY."""
    HC = "H&C"
    """Northern Ireland, 320 000 0001 to 399 999 9999."""
    NHS = "NHS"
    """England, Wales and the Isle of Man: 4xx, 6xx and 7xx."""
    TEST = "TEST"
    """999: correct, and guaranteed never to be issued."""
    NOT_ISSUED = "NOT ISSUED"


_RANGES = (
    ("0000000000", NumberRange.CHI),
    ("3113000000", NumberRange.NOT_ISSUED),
    ("3200000000", NumberRange.HC),
    ("4000000000", NumberRange.NHS),
    ("5000000000", NumberRange.NOT_ISSUED),
    ("6000000000", NumberRange.NHS),
    ("8000000000", NumberRange.NOT_ISSUED),
    ("9990000000", NumberRange.TEST),
)
"""Where each range begins, in order; it ends where the next begins."""


@dataclass(frozen=True, slots=True, order=True)
class NhsNumber:
    """A number that satisfies every rule a number can satisfy by itself.

    That makes it well-formed; it does not make it the right patient's, nor England's.
    """

    digits: str = field(repr=False)
    """Ten ASCII digits; text, because leading zeros count."""

    def __post_init__(self) -> None:
        if number_fault(self.digits) is not None:
            msg = "An NhsNumber is made of ten valid digits; read_nhs_number takes any text."
            raise ValueError(msg)

    @property
    def is_test(self) -> bool:
        """Tell whether the number is one of the 999 range."""
        return self.digits.startswith("999")

    @property
    def range(self) -> NumberRange:
        """Return the range that the number lies in."""
        return next(name for begin, name in reversed(_RANGES) if self.digits >= begin)

    @property
    def spaced(self) -> str:
        """Return the number as people read it: 3-3-4."""
        return f"{self.digits[:3]} {self.digits[3:6]} {self.digits[6:]}"


def read_nhs_number(text: str | None) -> NhsNumber | NumberFault:
    """Return the NHS number in ``text``, or what is wrong with it.

    Spaces and hyphens of any kind are left out, wherever they stand.
    """
    digits = _SEPARATORS.sub("", text or "")
    return number_fault(digits) or NhsNumber(digits)


def number_fault(digits: str) -> NumberFault | None:
    """Return what keeps ``digits``, already without separators, from being an NHS number."""
    if digits in {"", '""'}:
        return NumberFault.ABSENT
    if not _TEN_DIGITS.fullmatch(digits):
        return NumberFault.NOT_TEN_DIGITS
    if len(set(digits)) == 1:
        return NumberFault.ONE_REPEATED_DIGIT
    return None if check_digit(digits[:9]) == int(digits[9]) else NumberFault.WRONG_CHECK_DIGIT


def check_digit(nine: str) -> int | None:
    """Return the Modulus 11 check digit of nine ASCII digits; None where none is issued."""
    digit = calculate_checksum(nine)
    return None if digit == _CHECK_DIGIT_NEVER_ISSUED else digit


class NhsStatus(StrEnum):
    """NHS Number Status Indicator Code (NHS Data Dictionary): how far a number may be used."""

    VERIFIED = "01"
    """Present and verified: may link across trusts by rule, with demographics."""
    NOT_TRACED = "02"
    """Present but not traced: a candidate; asks for a trace. What says nothing counts as this."""
    TRACE_REQUIRED = "03"
    """Trace required: a candidate."""
    NO_SINGLE_MATCH = "04"
    """Traced with no match or several: never links; a person decides."""
    TO_BE_RESOLVED = "05"
    """Number or details are in conflict: never links; quarantine."""
    TRACE_IN_PROGRESS = "06"
    """Trace in progress: wait, then judge again."""
    NOT_REQUIRED = "07"
    """No number, and none needed (overseas, unknown): only a person pairs."""
    POSTPONED = "08"
    """Trace postponed, a baby under six weeks: may carry its mother's number; no link by rule."""


@dataclass(frozen=True, slots=True)
class StatusReading:
    """A status as a feed sent it."""

    status: NhsStatus
    unknown: bool
    """The feed sent a text that is no status: worth a row on the data-quality page."""


_STATUS_FORM = re.compile(r"(?:NSTS)?(0[1-8])", re.IGNORECASE)
_HL7_NULL = '""'


def parse_status(text: str | None, *, absent: NhsStatus = NhsStatus.NOT_TRACED) -> StatusReading:
    """Read one repeat of PID-32: ``NSTS01`` to ``NSTS08`` or ``01`` to ``08``.

    ``absent`` is what silence means on this feed; a feed whose configuration asserts that it
    releases traced numbers only has ``VERIFIED`` there. It never stands for a text that is sent.
    """
    stripped = (text or "").strip()
    if not stripped:
        return StatusReading(absent, unknown=False)
    found = _STATUS_FORM.fullmatch(stripped)
    if found is None:
        return StatusReading(NhsStatus.NOT_TRACED, unknown=stripped != _HL7_NULL)
    return StatusReading(NhsStatus(found[1]), unknown=False)


class Environment(StrEnum):
    """Whether the patients of this region are people."""

    LIVE = "live"
    TEST = "test"


class Inadmissible(StrEnum):
    """Why a well-formed number may not enter here."""

    TEST_NUMBER_IN_LIVE = "test-number-in-live"
    """A 999 number among people: quarantine and alarm."""
    REAL_NUMBER_IN_TEST = "real-number-in-test"
    """A number that may be a person's among test patients: refuse it, keep nothing."""


def admissible(number: NhsNumber, environment: Environment) -> Inadmissible | None:
    """Return why ``number`` may not enter ``environment``, or None when it may."""
    if environment is Environment.LIVE:
        return Inadmissible.TEST_NUMBER_IN_LIVE if number.is_test else None
    return None if number.is_test else Inadmissible.REAL_NUMBER_IN_TEST
