"""(stored study, asker) to what leaves: whose number it carries, and whether it may be sent."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Row

from archive.index.aliases import accession_alias
from archive.index.directory import authority_facts, authority_id, issuer_of, organisation_code
from archive.index.patients import LocalPatient, component, find_patient, patients_by_id
from archive.view.stamping import Stamping
from archive.words.identity import Asker, AuthorityKind, Issuer, PatientIdentity

_UNKNOWN = Issuer(organisation="", namespace="")


@dataclass(frozen=True, slots=True)
class View:
    """How a stored study is shown to one asker."""

    stamping: Stamping | None
    """None: the stored octets are the view."""
    local_number: bool
    """False: foreign, and the asker's authority has no number for the person."""


IDENTITY = View(stamping=None, local_number=True)


@dataclass(slots=True)
class Viewer:
    """Makes the views of one answer; each person is looked up once."""

    conn: Connection
    asker: Asker
    system: str
    at: datetime
    _persons: dict[tuple[int | None, str], list[LocalPatient]] = field(default_factory=dict)

    def view(self, study: Row[tuple[object, ...]]) -> View:
        """Return the view of a study for the asker.

        Identity where the asker speaks the study's own authority, or is the region's operator.
        Else the asker's number for the same person is stamped; where there is none, only the
        issuer is, and nothing may leave by C-STORE.
        """
        if self.asker.authority is None and self.asker.organisation is None:
            return IDENTITY
        if self._is_own(study):
            return IDENTITY
        local = self._local_patient(study)
        return View(stamping=self._stamping(study, local), local_number=local is not None)

    def _is_own(self, study: Row[tuple[object, ...]]) -> bool:
        custodian = organisation_code(self.conn, study.custodian_id)
        if custodian != self.asker.organisation:
            return False
        if study.authority_id is None or self.asker.authority is None or not study.mrn:
            return True
        return bool(study.authority_id == authority_id(self.conn, self.asker.authority))

    def _person(self, study: Row[tuple[object, ...]]) -> list[LocalPatient]:
        key = (study.authority_id, study.mrn)
        if key not in self._persons:
            self._persons[key] = self._find_person(study)
        return self._persons[key]

    def _find_person(self, study: Row[tuple[object, ...]]) -> list[LocalPatient]:
        if study.authority_id is None or not study.mrn:
            return []
        identity = PatientIdentity(study.mrn, issuer_of(self.conn, study.authority_id))
        patient = find_patient(self.conn, identity)
        if patient is None:
            return []
        return patients_by_id(self.conn, component(self.conn, patient.patient_id))

    def _local_patient(self, study: Row[tuple[object, ...]]) -> LocalPatient | None:
        for patient in self._person(study):
            if patient.active and patient.identity.issuer == self.asker.authority:
                return patient
        return None

    def _stamping(self, study: Row[tuple[object, ...]], local: LocalPatient | None) -> Stamping:
        kind, oid, issuer = AuthorityKind.MRN, "", _UNKNOWN
        if study.authority_id is not None:
            issuer = issuer_of(self.conn, study.authority_id)
            kind, oid = authority_facts(self.conn, study.authority_id)
        original = PatientIdentity(study.mrn, issuer)
        if local is None:
            return self._issuer_only(study, original, kind, oid)
        receiver = authority_id(self.conn, local.identity.issuer)
        custodian = organisation_code(self.conn, study.custodian_id)
        has_accession = bool(study.accession_number)
        alias = accession_alias(custodian, self._accession_issuer(study), study.accession_number)
        return Stamping(
            patient=local.identity,
            name=local.name or None,
            birth_date=local.birth_date or None,
            sex=local.sex or None,
            original=original,
            original_kind=kind,
            issuer_oid=authority_facts(self.conn, receiver)[1],
            nhs_number=local.nhs_number,
            accession_alias=alias if has_accession else None,
            original_accession=study.accession_number,
            accession_issuer=Issuer("", self.system) if has_accession else None,
            issuer_only=False,
            system=self.system,
            at=self.at,
        )

    def _issuer_only(
        self,
        study: Row[tuple[object, ...]],
        original: PatientIdentity,
        kind: AuthorityKind,
        oid: str,
    ) -> Stamping:
        return Stamping(
            patient=original,
            name=None,
            birth_date=None,
            sex=None,
            original=original,
            original_kind=kind,
            issuer_oid=oid,
            nhs_number="",
            accession_alias=None,
            original_accession=study.accession_number,
            accession_issuer=None,
            issuer_only=True,
            system=self.system,
            at=self.at,
        )

    def _accession_issuer(self, study: Row[tuple[object, ...]]) -> str:
        if study.accession_issuer_id is None:
            return ""
        return issuer_of(self.conn, study.accession_issuer_id).namespace
