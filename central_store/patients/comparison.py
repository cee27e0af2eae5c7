"""How two records compare, attribute by attribute. Every comparison is symmetric."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from archive.words.nhs import NhsStatus
from archive.words.person_names import PersonName, family_form, is_placeholder, surnames, words
from central_store.patients.demographics import (
    Demographics,
    birth_digits,
    is_calendar_date,
    postcode_form,
    sex_code,
)
from central_store.patients.phonetics import sound_alike


class Authorities(StrEnum):
    """Who numbers the two patients."""

    ONE_PATIENT = "one-patient"
    """The same number of the same authority: one record, met twice."""
    SAME = "same"
    OTHER = "other"


class Numbers(StrEnum):
    """The two NHS numbers."""

    EQUAL = "equal"
    DIFFERENT = "different"
    ABSENT = "absent"
    """One at least is not there, or was not valid."""


class BirthDates(StrEnum):
    """The two birth dates."""

    EQUAL = "equal"
    """Both whole dates that the calendar has; parts of dates are never equal."""
    NEAR = "near"
    """One digit differs, or day and month are swapped."""
    DIFFERENT = "different"
    MISSING = "missing"
    """One is absent, a placeholder, or a part that does not contradict the other."""


class Families(StrEnum):
    """The two family names."""

    EQUAL = "equal"
    """In family form; several surnames in any order."""
    ALIAS = "alias"
    """One authority knows the other's as another family name of the patient."""
    PHONETIC = "phonetic"
    PARTLY = "partly"
    """One surname of several is shared: Smith and Smith-Jones."""
    DIFFERENT = "different"
    MISSING = "missing"
    """One is absent or a placeholder."""


class Givens(StrEnum):
    """The given names, those in the middle component after the first."""

    EQUAL = "equal"
    """The first names are the same word, and no further one contradicts."""
    AGREE = "agree"
    """Initial, short form (Rob, Robert) or spelling (Jon, John); nothing contradicts."""
    CONFLICT = "conflict"
    """Two names that are not each other's: Emma and Ella, Mary Ann and Mary Jane."""
    MISSING = "missing"
    """One is absent or a placeholder."""


class Agreement(StrEnum):
    """Two values that are the same, or are not, or of which one is unknown."""

    AGREE = "agree"
    CONFLICT = "conflict"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a judgement rests on: comparisons only, never the values themselves."""

    authorities: Authorities
    numbers: Numbers
    statuses: tuple[NhsStatus, NhsStatus]
    """In ascending order, so that evidence does not depend on who came first."""
    birth_dates: BirthDates
    family: Families
    given: Givens
    sex: Agreement
    postcode: Agreement
    placeholder: bool
    """A name of one record stands for "we do not know"."""


def compare(a: Demographics, b: Demographics) -> Evidence:
    """Return how ``a`` and ``b`` compare; the same for ``b`` and ``a``."""
    one, other = _names(a.name), _names(b.name)
    low, high = sorted((a.nhs_status, b.nhs_status))
    return Evidence(
        authorities=_authorities(a, b),
        numbers=_numbers(a, b),
        statuses=(low, high),
        birth_dates=compare_birth_dates(a.birth_date, b.birth_date),
        family=_compare_families(one.surnames, other.surnames, a.aliases, b.aliases),
        given=_compare_givens(one.given, other.given),
        sex=_agreement(sex_code(a.sex), sex_code(b.sex)),
        postcode=_agreement(postcode_form(a.postcode), postcode_form(b.postcode)),
        placeholder=one.placeholder or other.placeholder,
    )


def _authorities(a: Demographics, b: Demographics) -> Authorities:
    if a.identity.issuer != b.identity.issuer:
        return Authorities.OTHER
    return Authorities.ONE_PATIENT if a.identity == b.identity else Authorities.SAME


def _numbers(a: Demographics, b: Demographics) -> Numbers:
    if a.nhs_number is None or b.nhs_number is None:
        return Numbers.ABSENT
    return Numbers.EQUAL if a.nhs_number == b.nhs_number else Numbers.DIFFERENT


def _agreement(a: str, b: str) -> Agreement:
    if not a or not b:
        return Agreement.MISSING
    return Agreement.AGREE if a == b else Agreement.CONFLICT


# --- birth dates ----------------------------------------------------------------------------


def compare_birth_dates(a: str, b: str) -> BirthDates:
    """Compare two birth dates as sent."""
    one, other = birth_digits(a), birth_digits(b)
    if not one or not other:
        return BirthDates.MISSING
    if one == other:
        return BirthDates.EQUAL if is_calendar_date(one) else BirthDates.MISSING
    if len(one) != len(other) and (one.startswith(other) or other.startswith(one)):
        return BirthDates.MISSING
    return BirthDates.NEAR if _is_slip(one, other) else BirthDates.DIFFERENT


def _is_slip(a: str, b: str) -> bool:
    if len(a) != len("YYYYMMDD") or len(b) != len(a):
        return False
    swapped = a[:4] + a[6:] + a[4:6]
    return swapped == b or sum(x != y for x, y in zip(a, b, strict=True)) == 1


# --- names ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class _Names:
    """A name taken apart for comparison; what is a placeholder is left out."""

    surnames: tuple[str, ...]
    given: tuple[str, ...]
    """Given and middle names in one row: feeds differ in where they put the second."""
    placeholder: bool


@lru_cache(maxsize=1024)  # a record meets every candidate, and their whole components
def _names(name: PersonName) -> _Names:
    shown = name.comparable()
    no_family, no_given = is_placeholder(shown.family), is_placeholder(shown.given)
    return _Names(
        () if no_family else surnames(shown.family),
        () if no_given else words(shown.given) + words(shown.middle),
        no_family or no_given,
    )


def _compare_families(
    one: tuple[str, ...],
    other: tuple[str, ...],
    known_to_one: tuple[str, ...],
    known_to_other: tuple[str, ...],
) -> Families:
    if not one or not other:
        return Families.MISSING
    form, other_form = "".join(one), "".join(other)
    if form == other_form or sorted(one) == sorted(other):
        return Families.EQUAL
    if form in map(family_form, known_to_other) or other_form in map(family_form, known_to_one):
        return Families.ALIAS
    if sound_alike(form, other_form):
        return Families.PHONETIC
    return Families.DIFFERENT if set(one).isdisjoint(other) else Families.PARTLY


def _compare_givens(one: tuple[str, ...], other: tuple[str, ...]) -> Givens:
    """Compare two rows of names, in order; the shorter may leave some out.

    A middle name that contradicts is a conflict: brothers may share their first name (Mohammed
    Ali, Mohammed Hassan).
    """
    shorter, longer = sorted((one, other), key=len)
    if not shorter or not longer:
        return Givens.MISSING
    first = _compare_words(shorter[0], longer[0])
    further = iter(longer[1:])
    found = all(any(_compatible(name, held) for held in further) for name in shorter[1:])
    return first if found else Givens.CONFLICT


def _compatible(a: str, b: str) -> bool:
    return _compare_words(a, b) is not Givens.CONFLICT


def _compare_words(a: str, b: str) -> Givens:
    if a == b:
        return Givens.AGREE if _is_initial(a) else Givens.EQUAL
    short, long = sorted((a, b), key=len)
    if _is_initial(short):
        return Givens.AGREE if long.startswith(short) else Givens.CONFLICT
    alike = _is_short_form(short, long) or _spelling(short) == _spelling(long)
    return Givens.AGREE if alike else Givens.CONFLICT


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.isascii()


_SHORTEST_SHORT_FORM = 3
_LETTERS_LEFT_OUT = 2
"""Rob for Robert; but Ann and Anna, Alex and Alexa, Jane and Janet may be sisters."""


def _is_short_form(short: str, long: str) -> bool:
    left_out = len(long) - len(short)
    enough = len(short) >= _SHORTEST_SHORT_FORM and left_out >= _LETTERS_LEFT_OUT
    return enough and long.startswith(short)


def _spelling(word: str) -> str:
    """Return a word without h after its first letter, doubled letters as one, y as i.

    Jon and John, Sara and Sarah, Allan and Alan: never two children of one family. A phonetic
    code would not do here: it has no vowels, so Tim is Tom and Jean is Joan.
    """
    plain = word[:1] + word[1:].replace("h", "").replace("y", "i")
    return "".join(letter for at, letter in enumerate(plain) if letter != plain[at - 1 : at])
