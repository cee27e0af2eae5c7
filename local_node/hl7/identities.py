"""Whose numbers PID-3 holds: the trust's own patients, and the NHS number with its status.

Careful by rule: a number that is not surely right is left out, with a finding; so is one that may
not enter this environment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from archive.errors import UnknownIssuer
from archive.words.identity import Issuer, PatientIdentity
from archive.words.nhs import (
    Environment,
    Inadmissible,
    NhsNumber,
    NhsStatus,
    NumberFault,
    admissible,
    parse_status,
    read_nhs_number,
)
from local_node.hl7.findings import Finding, FindingCode
from local_node.hl7.patient import Identifier, PatientFields

FindIssuer = Callable[[str], Issuer]
"""Returns the assigning authority that a namespace or OID means to the trust, or raises
:class:`UnknownIssuer`."""

_MRN_LENGTH = 64
"""Characters of Patient ID, an LO (PS3.5 Section 6.2)."""


_CODE = re.compile(r"[A-Z][A-Z0-9._-]{0,15}|\d{1,10}(\.\d{1,20}){1,20}")
"""What an authority's name looks like. Anything else may be a person's name that a broken message
has shifted into its place, and is not shown."""


@dataclass(frozen=True, slots=True)
class OwnNumbers:
    """The patient's numbers at the trust, one of each assigning authority."""

    identities: tuple[PatientIdentity, ...]
    findings: tuple[Finding, ...]

    def foremost(self, authority: Issuer | None) -> PatientIdentity | None:
        """Return the number of the feed's own authority, else the first."""
        own = [identity for identity in self.identities if identity.issuer == authority]
        return next(iter([*own, *self.identities]), None)


@dataclass(frozen=True, slots=True, repr=False)
class NhsReading:
    """What a message says about the NHS number."""

    number: str | None
    """Ten digits; empty: there is none that counts; None: it says nothing."""
    status: str = ""
    """``01`` to ``08`` where there is a number."""
    status_is_told: bool = True
    """False: PID-32 is silent, and a status that is known of this very number still holds."""
    findings: tuple[Finding, ...] = ()
    blocked: bool = False
    """A person's number in a test environment: nothing of the message may be kept in rows."""


def own_numbers(
    fields: PatientFields,
    *,
    organisation: str,
    default: Issuer | None,
    find_issuer: FindIssuer,
) -> OwnNumbers:
    """Return the numbers in PID-3 that authorities of ``organisation`` gave.

    A number that names no authority is one of ``default``, the feed's own.
    """
    chosen: dict[Issuer, PatientIdentity] = {}
    findings: list[Finding] = []
    foreign = False
    for identifier in fields.identifiers:
        if not identifier.may_be_local:
            continue
        issuer = _issuer(identifier, default, find_issuer)
        if issuer is None:
            findings.append(_unknown(identifier))
        elif issuer.organisation != organisation:
            foreign = True
        else:
            findings += _choose(chosen, PatientIdentity(mrn=identifier.number, issuer=issuer))
    if not chosen and not findings:
        nobody = FindingCode.FOREIGN_ISSUER if foreign else FindingCode.NO_PID3
        findings.append(Finding(nobody))
    return OwnNumbers(tuple(chosen.values()), tuple(findings))


def read_nhs(
    fields: PatientFields, *, environment: Environment, absent_status: NhsStatus, whole: bool
) -> NhsReading:
    """Return the NHS number that may count, and how far it was traced.

    ``whole``: the message tells all that the sender knows, so a number left out is no more.
    """
    read = {read_nhs_number(identifier.number) for identifier in fields.nhs_identifiers}
    read.discard(NumberFault.ABSENT)
    numbers = [number for number in read if isinstance(number, NhsNumber)]
    if _may_be_a_persons(numbers, environment):
        return NhsReading("", findings=(Finding(FindingCode.NHS_ENVIRONMENT),), blocked=True)
    if not read:
        return NhsReading("" if whole else None)
    fault = _fault(read, numbers, environment)
    if fault is not None:
        return NhsReading("", findings=(Finding(fault),))
    status = parse_status(fields.nhs_status, absent=absent_status)
    return NhsReading(
        numbers[0].digits,
        status.status.value,
        status_is_told=whole or bool(fields.nhs_status),
        findings=(Finding(FindingCode.NHS_STATUS_UNKNOWN),) if status.unknown else (),
    )


def _may_be_a_persons(numbers: list[NhsNumber], environment: Environment) -> bool:
    reasons = {admissible(number, environment) for number in numbers}
    return Inadmissible.REAL_NUMBER_IN_TEST in reasons


def _fault(
    read: set[NhsNumber | NumberFault], numbers: list[NhsNumber], environment: Environment
) -> FindingCode | None:
    if NumberFault.NOT_TEN_DIGITS in read:
        return FindingCode.NHS_MALFORMED
    if len(numbers) < len(read):
        return FindingCode.NHS_CHECK_DIGIT
    if len(numbers) > 1:
        return FindingCode.NHS_SEVERAL
    return None if admissible(numbers[0], environment) is None else FindingCode.NHS_ENVIRONMENT


def _choose(chosen: dict[Issuer, PatientIdentity], identity: PatientIdentity) -> list[Finding]:
    if len(identity.mrn) > _MRN_LENGTH or "\\" in identity.mrn:
        return [Finding(FindingCode.MRN_UNUSABLE, identity.issuer.namespace)]
    kept = chosen.setdefault(identity.issuer, identity)
    if kept == identity:
        return []
    return [Finding(FindingCode.SEVERAL_MRN, identity.issuer.namespace)]


def _issuer(
    identifier: Identifier, default: Issuer | None, find_issuer: FindIssuer
) -> Issuer | None:
    names = [name for name in (identifier.namespace, identifier.oid) if name]
    if not names:
        return default
    for name in names:
        try:
            return find_issuer(name)
        except UnknownIssuer:
            continue
    return None


def _unknown(identifier: Identifier) -> Finding:
    name = identifier.namespace or identifier.oid
    if not name:
        return Finding(FindingCode.UNKNOWN_ISSUER, "none is named")
    shown = name if _CODE.fullmatch(name) else "no code"
    return Finding(FindingCode.UNKNOWN_ISSUER, shown)
