"""PID (HL7 2.5 Section 3.4.2) in the archive's words.

A value of None was not sent and says nothing; an empty one was sent as HL7's null, or as a value
that stands for nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

from archive.words.identity import NHS, NHS_OID
from archive.words.nhs import parse_status
from archive.words.person_names import PersonName
from local_node.hl7.segments import NULL, Composite, Segment, told

SEXES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys("M1", "M"),
        **dict.fromkeys("F2", "F"),
        **dict.fromkeys("OAN9", "O"),
        **dict.fromkeys("UX0", ""),
    }
)
"""HL7 table 0001 and the NHS Data Dictionary's digits, as Patient's Sex (PS3.3 C.7.1.1)."""

NHS_TYPE = "NH"
"""CX.5 of NHS numbers in British profiles (HL7 table 0203)."""
NHS_NAMES = frozenset({NHS.namespace, NHS_OID, "https://fhir.nhs.uk/Id/nhs-number"})

_OTHER_NATIONS = frozenset({"CHI", "SAPCHI", "HC", "H&C", "HCN", "HSC"})
_TRUST_TYPES = frozenset({"", "MR", "PI", "PT", "MRN"})
_DATE = re.compile(r"(\d{4})(\d\d)?(\d\d)?")
_TIME = re.compile(r"\d{2,6}(\.\d+)?([+-]\d{4})?")
_DIGITS_OF_A_DATE = 8
_NAME_LENGTH = 1024
_POSTCODE_LENGTH = 64
"""What rows and messages between tiers hold; what is longer is no name and no postcode."""


@dataclass(frozen=True, slots=True, repr=False)
class Identifier:
    """One repeat of PID-3 (CX, Section 2.A.14)."""

    number: str
    namespace: str
    """CX.4.1, as sent."""
    oid: str
    """CX.4.2, the universal id."""
    type_code: str
    """CX.5, HL7 table 0203."""

    @property
    def is_nhs(self) -> bool:
        """Whether it is an NHS number: by its authority, or by its type.

        Some feeds write the trust as authority of type NH; only Scotland's and Northern Ireland's
        authorities give that type another meaning.
        """
        if NHS_NAMES & {self.namespace.upper(), self.namespace, self.oid}:
            return True
        return self.type_code == NHS_TYPE and self.namespace.upper() not in _OTHER_NATIONS

    @property
    def may_be_local(self) -> bool:
        """Whether it can be a trust's own patient number; other types number other things."""
        return not self.is_nhs and self.type_code in _TRUST_TYPES


@dataclass(frozen=True, slots=True, repr=False)
class PatientFields:
    """What one PID says."""

    identifiers: tuple[Identifier, ...] = ()
    name: str | None = None
    """As PN (PS3.5 Section 6.2.1)."""
    birth_date: str | None = None
    """YYYYMMDD, or shorter where the sender knows no more."""
    sex: str | None = None
    postcode: str | None = None
    nhs_status: str | None = None
    """PID-32 as sent."""
    unusable: tuple[str, ...] = ()
    """Fields that hold a value which means nothing here, as ``PID-7``."""

    @property
    def nhs_identifiers(self) -> tuple[Identifier, ...]:
        """The repeats of PID-3 that are NHS numbers."""
        return tuple(identifier for identifier in self.identifiers if identifier.is_nhs)


def read_patient(pid: Segment) -> PatientFields:
    """Read PID."""
    birth_date, sex = told(pid.part(7)), told(pid.part(8))
    dated, sexed = birth_date_of(birth_date), sex_of(sex)
    name, postcode = _name(pid.repeats(5)), _postcode(pid.repeats(11))
    faults = (
        ("PID-5", _is_longer(name, _NAME_LENGTH)),
        ("PID-7", birth_date and dated is None),
        ("PID-8", sex and sexed is None),
        ("PID-11", _is_longer(postcode, _POSTCODE_LENGTH)),
    )
    return PatientFields(
        identifiers=tuple(_identifiers(pid)),
        name="" if _is_longer(name, _NAME_LENGTH) else name,
        birth_date="" if birth_date and dated is None else dated,
        sex="" if sex and sexed is None else sexed,
        postcode="" if _is_longer(postcode, _POSTCODE_LENGTH) else postcode,
        nhs_status=_status(pid.repeats(32)),
        unusable=tuple(field for field, faulty in faults if faulty),
    )


def _is_longer(text: str | None, limit: int) -> bool:
    return text is not None and len(text) > limit


def birth_date_of(sent: str | None) -> str | None:
    """Return the date in an HL7 TS as DA digits, partial as sent; None when it is no date."""
    if not sent:
        return sent
    found = _DATE.match(sent)
    if found is None or not _is_time(sent[found.end() :], after=found[0]):
        return None
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        date(year, month, day)
    except ValueError:
        return None
    return found[0]


def _is_time(rest: str, *, after: str) -> bool:
    return not rest or (len(after) == _DIGITS_OF_A_DATE and _TIME.fullmatch(rest) is not None)


def sex_of(sent: str | None) -> str | None:
    """Return M, F, O or empty (unknown); None when it is no code of a table known here."""
    return SEXES.get(sent.upper()) if sent else sent


def _identifiers(pid: Segment) -> list[Identifier]:
    return [
        Identifier(
            number=repeat.part(1),
            namespace=repeat.part(4),
            oid=repeat.part(4, 2),
            type_code=repeat.part(5).upper(),
        )
        for repeat in pid.repeats(3)
        if repeat.part(1) not in {"", NULL}
    ]


def _name(repeats: Sequence[Composite]) -> str | None:
    if not repeats:
        return None
    if repeats[0].text.strip() == NULL:
        return ""
    name = replace(
        _person_name(_spelled(repeats, "A", "")),
        ideographic=_person_name(_spelled(repeats, "I")).pn,
        phonetic=_person_name(_spelled(repeats, "P")).pn,
    )
    return name.pn or None


def _spelled(repeats: Sequence[Composite], *representations: str) -> Composite | None:
    """Return the name in one representation (XPN.8, table 0465), the legal one first (XPN.7)."""
    spelled = [repeat for repeat in repeats if repeat.part(8).upper() in representations]
    for name_type in ("L", ""):
        for repeat in spelled:
            if repeat.part(7).upper() == name_type:
                return repeat
    return spelled[0] if spelled else None


def _person_name(repeat: Composite | None) -> PersonName:
    if repeat is None:
        return PersonName()
    family, *others = (repeat.part(component) for component in range(1, 6))
    return PersonName.from_xpn([family.replace("&", " "), *others])


def _postcode(repeats: Sequence[Composite]) -> str | None:
    """Return XAD.5 of the home address (XAD.7), else of the first that has one."""
    by_home = sorted(repeats, key=lambda repeat: repeat.part(7).upper() != "H")
    codes = [code for repeat in by_home if (code := told(repeat.part(5))) is not None]
    return " ".join(codes[0].upper().split()) if codes else None


def _status(repeats: Sequence[Composite]) -> str | None:
    """Return the repeat of PID-32 that is an NHS number status, else the first."""
    codes = [code for repeat in repeats if (code := repeat.part(1))]
    known = [code for code in codes if not parse_status(code).unknown and code != NULL]
    return next(iter([*known, *codes]), None)
