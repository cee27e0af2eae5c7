"""Records to judge: one typical patient, and what to change about her."""

from dataclasses import replace
from typing import TypedDict, Unpack

from archive.words.identity import Issuer, PatientIdentity
from archive.words.nhs import NhsNumber, NhsStatus, check_digit
from archive.words.person_names import PersonName
from central_store.patients.components import Member
from central_store.patients.demographics import Demographics

RXA = Issuer("RXA", "RXA")
RXB = Issuer("RXB", "RXB")
RXC = Issuer("RXC", "RXC")
RXD = Issuer("RXD", "RXD")


def test_number(serial: int) -> NhsNumber:
    """Return the first valid 999 number at or after a serial of six digits."""
    nine = f"999{serial:06d}"
    digit = check_digit(nine)
    return test_number(serial + 1) if digit is None else NhsNumber(f"{nine}{digit}")


test_number.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it

ONE = test_number(1)
TWO = test_number(500)

EMMA = Demographics(
    identity=PatientIdentity("1", RXA),
    nhs_number=ONE,
    nhs_status=NhsStatus.VERIFIED,
    name=PersonName("Smith", "Emma"),
    birth_date="19700412",
    sex="F",
    postcode="LS1 4AP",
)


class Changes(TypedDict, total=False):
    """What can be said of a record in one word each."""

    family: str
    given: str
    middle: str
    birth_date: str
    sex: str
    postcode: str
    number: NhsNumber | None
    status: str
    aliases: tuple[str, ...]


def at(issuer: Issuer, mrn: str = "1", **changes: Unpack[Changes]) -> Demographics:
    """Return Emma as an authority might have her."""
    return changed(replace(EMMA, identity=PatientIdentity(mrn, issuer)), **changes)


def changed(record: Demographics, **changes: Unpack[Changes]) -> Demographics:
    """Return a record with some words changed."""
    name = replace(
        record.name,
        family=changes.get("family", record.name.family),
        given=changes.get("given", record.name.given),
        middle=changes.get("middle", record.name.middle),
    )
    return replace(
        record,
        name=name,
        birth_date=changes.get("birth_date", record.birth_date),
        sex=changes.get("sex", record.sex),
        postcode=changes.get("postcode", record.postcode),
        nhs_number=changes.get("number", record.nhs_number),
        nhs_status=NhsStatus(changes.get("status", record.nhs_status)),
        aliases=changes.get("aliases", record.aliases),
    )


def members(*records: Demographics) -> tuple[Member, ...]:
    """Return live members."""
    return tuple(map(Member, records))
