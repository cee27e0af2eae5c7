"""What one assigning authority says about one patient: what the rules compare."""

import re
from dataclasses import dataclass
from datetime import date

from archive.words.identity import PatientIdentity
from archive.words.nhs import NhsNumber, NhsStatus
from archive.words.person_names import PersonName

PLACEHOLDER_BIRTH_DATE = "19000101"
"""What systems send when they must send something; counts as none."""

_WITH_SEPARATORS = re.compile(r"(\d{4})[-./](\d{2})(?:[-./](\d{2}))?", re.ASCII)
_AS_FAR_AS_SAID = re.compile(r"\d{8}|\d{6}(?=$)|\d{4}(?=$)", re.ASCII)
_YEAR_LENGTH = 4
_FULL_DATE_LENGTH = 8
_SEXES = {"1": "M", "2": "F", "M": "M", "F": "F", "O": "O", "A": "O"}
"""HL7 table 0001 and the NHS person gender codes; everything else says nothing."""

_NO_POSTCODE = "ZZ99"
"""The NHS's pseudo postcodes (ZZ99 3VZ, no fixed abode, and others) say where nobody lives."""


@dataclass(frozen=True, slots=True, repr=False)
class Demographics:
    """One patient of one assigning authority, as its PAS last told. Texts are kept as sent.

    Its repr hides it: a repr ends in logs.
    """

    identity: PatientIdentity
    nhs_number: NhsNumber | None
    nhs_status: NhsStatus
    name: PersonName
    birth_date: str
    """YYYYMMDD or a part of it, as DA, TS or an ISO date."""
    sex: str
    """HL7 table 0001, as (0010,0040), or an NHS person gender code."""
    postcode: str = ""
    aliases: tuple[str, ...] = ()
    """Other family names that this authority knows: at birth, before marriage."""


def birth_digits(sent: str) -> str:
    """Return the digits of a birth date as far as it says one: 8, 6, 4 or none.

    A month or day of 00 is not said. 1900-01-01, and 1900 alone, say nothing.
    """
    text = _WITH_SEPARATORS.sub(r"\1\2\3", sent.strip())
    found = _AS_FAR_AS_SAID.match(text)
    digits = found[0] if found else ""
    while len(digits) > _YEAR_LENGTH and digits.endswith("00"):
        digits = digits[:-2]
    return "" if digits == "0000" or PLACEHOLDER_BIRTH_DATE.startswith(digits) else digits


def is_calendar_date(digits: str) -> bool:
    """Tell whether ``digits`` are a whole date that the calendar has."""
    if len(digits) != _FULL_DATE_LENGTH:
        return False
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def sex_code(sent: str) -> str:
    """Return M, F or O; "" where the text says nothing."""
    return _SEXES.get(sent.strip().upper(), "")


def postcode_form(sent: str) -> str:
    """Return a postcode without spaces, in capitals; "" for the NHS's pseudo postcodes."""
    form = "".join(sent.split()).upper()
    return "" if form.startswith(_NO_POSTCODE) else form
