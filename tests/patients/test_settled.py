"""What people were asked about two records ends when the rules have answered it themselves."""

from pathlib import Path

from archive.index.findings import findings
from archive.words.identity import Issuer
from central_store.patients.records import learn
from sync.transfer.messages import IssuerPart, PatientPart
from tests.index.builders import Rows, open_rows
from tests.patients.records import ONE, RXA, RXB, TWO


def told(issuer: Issuer, mrn: str, *, status: str, number: str = ONE.digits) -> PatientPart:
    return PatientPart(
        issuer=IssuerPart(organisation=issuer.organisation, namespace=issuer.namespace),
        mrn=mrn,
        name="Smith^Emma",
        birth_date="19700412",
        sex="F",
        postcode="LS1 4AP",
        nhs_number=number,
        nhs_status=status,
    )


def learnt(rows: Rows, *parts: PatientPart) -> None:
    with rows.index.writing() as conn:
        for part in parts:
            learn(conn, part, at_ms=rows.now_ms)


def open_findings(rows: Rows) -> list[tuple[str, str]]:
    with rows.index.reading() as conn:
        return [(each.code, each.subject) for each in findings(conn, limit=9)]


def test_a_pair_that_is_confirmed_waits_for_nobody_and_another_pair_still_does(
    tmp_path: Path,
) -> None:
    rows = open_rows(f"sqlite:///{tmp_path / 'index.sqlite'}", tmp_path)
    learnt(rows, told(RXA, "1", status="01"), told(RXB, "2", status="02"))
    learnt(rows, told(RXA, "3", status="01", number=TWO.digits))
    before = open_findings(rows)
    assert ("IDENTITY_PROVISIONAL", "patients:1:2") in before
    others = [each for each in before if each[1] != "patients:1:2"]
    assert others

    learnt(rows, told(RXB, "2", status="01"))

    assert [each for each in open_findings(rows) if each[1] == "patients:1:2"] == []
    assert set(others) <= set(open_findings(rows))
