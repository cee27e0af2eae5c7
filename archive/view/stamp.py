"""Put the receiver's identifiers into a Data Set, and say what stood there before.

PatientID and its issuer (0010,0021), (0010,0024), name, birth date, sex, AccessionNumber and its
issuer (0008,0051), also inside RequestAttributesSequence. Former values go to
OtherPatientIDsSequence (0010,1002) and to OriginalAttributesSequence (0400,0561), one item for each
change (PS3.3 Section C.12.1.1.9); what is there already is kept. UIDs are never touched.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC

from pydicom import DataElement, Dataset, Sequence
from pydicom.datadict import dictionary_VR, tag_for_keyword

from archive.view.stamping import Stamping, stamped_values
from archive.words.identity import NHS, NHS_OID, AuthorityKind, Issuer
from archive.words.uids import IMPLEMENTATION_VERSION_NAME

STAMPED_KEYWORDS = (
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "PatientBirthDate",
    "PatientSex",
    "OtherPatientIDsSequence",
    "ContributingEquipmentSequence",
    "RequestAttributesSequence",
    "OriginalAttributesSequence",
)
"""Every top-level element that a stamp may change, in ascending order of tags."""

IDENTIFIER_TYPES: Mapping[AuthorityKind, str] = {
    AuthorityKind.MRN: "MR",
    AuthorityKind.NHS: "NH",
    AuthorityKind.CHI: "NI",
    AuthorityKind.HC: "NI",
}
"""Identifier Type Code (0040,0035) of each kind of authority (HL7 v2 Table 0203)."""

_MANUFACTURER = "Regional Image Store"


def stamp(data_set: Dataset, stamping: Stamping) -> None:
    """Change ``data_set`` in place so that it carries the receiver's identifiers.

    Where the receiver has no number for the person, only the issuer is added.
    """
    changes = _Changes(data_set, stamping)
    if stamping.issuer_only:
        _put_issuer(changes, stamping.original.issuer, stamping.original_kind, stamping.issuer_oid)
        return
    _stamp_patient(changes, stamping)
    _stamp_accession(changes, stamping)
    _add_other_numbers(data_set, stamping)
    _append(data_set, "ContributingEquipmentSequence", _equipment(stamping))


class _Changes:
    """Replaces values of one Data Set and writes each replacement down."""

    def __init__(self, data_set: Dataset, stamping: Stamping) -> None:
        self._data_set = data_set
        self._stamping = stamping

    def put(self, keyword: str, value: object) -> None:
        """Set an element; where it was there with another value, keep that one on record."""
        before = self._before(keyword)
        setattr(self._data_set, keyword, value)
        if before is not None and self._data_set[before.tag] != DataElement(
            before.tag, self._data_set[before.tag].VR, before.value
        ):
            self.record(before)

    def rework(self, keyword: str, change: Callable[[Dataset], bool]) -> None:
        """Change the items of a sequence; keep the whole former sequence on record."""
        if keyword not in self._data_set:
            return
        before = deepcopy(self._data_set[keyword])
        changed = [change(item) for item in self._data_set[keyword].value or ()]
        if any(changed):
            self.record(before)

    def record(self, before: DataElement) -> None:
        """Add one item to (0400,0561): when, by which system, from where, why and what."""
        former = Dataset()
        former.add(before)
        item = Dataset()
        item.ModifiedAttributesSequence = Sequence([former])
        item.AttributeModificationDateTime = _date_time(self._stamping)
        item.ModifyingSystem = self._stamping.system
        item.SourceOfPreviousValues = self._stamping.original.issuer.organisation
        item.ReasonForTheAttributeModification = "COERCE"
        _append(self._data_set, "OriginalAttributesSequence", item)

    def _before(self, keyword: str) -> DataElement | None:
        if keyword not in self._data_set:
            return None
        return deepcopy(self._data_set[keyword])


def _stamp_patient(changes: _Changes, stamping: Stamping) -> None:
    changes.put("PatientID", stamping.patient.mrn)
    _put_issuer(changes, stamping.patient.issuer, AuthorityKind.MRN, stamping.issuer_oid)
    for keyword, value in stamped_values(stamping).items():
        if keyword != "AccessionNumber":
            changes.put(keyword, value)


def _put_issuer(changes: _Changes, issuer: Issuer, kind: AuthorityKind, oid: str) -> None:
    changes.put("IssuerOfPatientID", issuer.namespace)
    qualifiers = Sequence([_qualifiers(kind, issuer, oid)])
    changes.put("IssuerOfPatientIDQualifiersSequence", qualifiers)


def _stamp_accession(changes: _Changes, stamping: Stamping) -> None:
    if stamping.accession_alias is not None:
        changes.put("AccessionNumber", stamping.accession_alias)
    if stamping.accession_issuer is not None:
        changes.put("IssuerOfAccessionNumberSequence", _issuer_items(stamping.accession_issuer))
    if stamping.accession_alias is not None and stamping.original_accession:
        changes.rework("RequestAttributesSequence", lambda item: _stamp_request(item, stamping))


def _stamp_request(item: Dataset, stamping: Stamping) -> bool:
    if str(item.get("AccessionNumber", "")).strip() != stamping.original_accession:
        return False
    item.AccessionNumber = stamping.accession_alias
    if stamping.accession_issuer is not None:
        item.IssuerOfAccessionNumberSequence = _issuer_items(stamping.accession_issuer)
    return True


def _issuer_items(issuer: Issuer) -> Sequence:
    item = Dataset()
    item.LocalNamespaceEntityID = issuer.namespace
    return Sequence([item])


def _add_other_numbers(data_set: Dataset, stamping: Stamping) -> None:
    original = stamping.original
    oid = NHS_OID if original.issuer == NHS else ""
    numbers = [(original.mrn, original.issuer, stamping.original_kind, oid)]
    if stamping.nhs_number:
        numbers.append((stamping.nhs_number, NHS, AuthorityKind.NHS, NHS_OID))
    for number, issuer, kind, oid in numbers:
        if not number or _is_listed(data_set, number, issuer):
            continue
        item = Dataset()
        item.PatientID = number
        item.IssuerOfPatientID = issuer.namespace
        item.TypeOfPatientID = "TEXT"
        item.IssuerOfPatientIDQualifiersSequence = Sequence([_qualifiers(kind, issuer, oid)])
        _append(data_set, "OtherPatientIDsSequence", item)


def _is_listed(data_set: Dataset, number: str, issuer: Issuer) -> bool:
    return any(
        str(item.get("PatientID", "")) == number
        and str(item.get("IssuerOfPatientID", "")) == issuer.namespace
        and _facility(item) == issuer.organisation
        for item in data_set.get("OtherPatientIDsSequence") or ()
    )


def _facility(item: Dataset) -> str:
    for qualifiers in item.get("IssuerOfPatientIDQualifiersSequence") or ():
        for facility in qualifiers.get("AssigningFacilitySequence") or ():
            return str(facility.get("LocalNamespaceEntityID", ""))
    return ""


def _qualifiers(kind: AuthorityKind, issuer: Issuer, oid: str) -> Dataset:
    """Issuer of Patient ID Macro (PS3.3 Table 10-18): the organisation is the facility."""
    item = Dataset()
    if oid:
        item.UniversalEntityID = oid
        item.UniversalEntityIDType = "ISO"
    item.IdentifierTypeCode = IDENTIFIER_TYPES[kind]
    if issuer.organisation:
        facility = Dataset()
        facility.LocalNamespaceEntityID = issuer.organisation
        item.AssigningFacilitySequence = Sequence([facility])
    return item


def _equipment(stamping: Stamping) -> Dataset:
    """Contributing Equipment (PS3.3 Section C.12.1): (109103, DCM, "Modifying Equipment")."""
    purpose = Dataset()
    purpose.CodeValue = "109103"
    purpose.CodingSchemeDesignator = "DCM"
    purpose.CodeMeaning = "Modifying Equipment"
    item = Dataset()
    item.Manufacturer = _MANUFACTURER
    item.StationName = stamping.system[:16]
    item.ManufacturerModelName = _MANUFACTURER
    item.SoftwareVersions = IMPLEMENTATION_VERSION_NAME
    item.ContributionDateTime = _date_time(stamping)
    item.ContributionDescription = "Patient and order identifiers of the receiving organisation"
    item.PurposeOfReferenceCodeSequence = Sequence([purpose])
    return item


def _append(data_set: Dataset, keyword: str, item: Dataset) -> None:
    items = list(data_set.get(keyword) or ())
    tag = tag_for_keyword(keyword)
    if tag is None:  # pragma: no cover - every keyword here is the Standard's
        raise KeyError(keyword)
    data_set[tag] = DataElement(tag, dictionary_VR(tag), Sequence([*items, item]))


def _date_time(stamping: Stamping) -> str:
    return stamping.at.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f") + "+0000"
