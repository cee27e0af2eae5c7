"""A workstation of the next trust finds the priors and gets them, under its own numbers."""

from collections.abc import Iterable, Sequence

from pydicom.dataset import Dataset

from deploy.demo import who
from deploy.demo.chapters.centre import levels_by_qido, levels_of
from deploy.demo.evidence import Evidence, check, check_equal, evidence
from deploy.demo.messages import Received
from deploy.demo.stage import Image, Stage, pixel_digest, read_data_set
from deploy.demo.workstation import Found, Retrieved, Workstation
from deploy.region.options import CENTRE

ALIAS_LIMIT = 16
"""Characters of an AccessionNumber (SH, PS3.5 Section 6.2)."""


def found_by_local_number(stage: Stage) -> Evidence:
    """C-FIND by the next trust's number at three levels; ask the centre by it too."""
    workstation = stage.workstation(who.WORKSTATION, at=who.NEXT)
    studies = _ok(
        workstation.find(
            "STUDY",
            {
                "PatientID": who.ARCHIBALD_NEXT.mrn,
                "StudyInstanceUID": "",
                "PatientName": "",
                "PatientBirthDate": "",
                "StudyDate": "",
                "AccessionNumber": "",
                "ModalitiesInStudy": "",
            },
        )
    )
    for match in studies:
        check_equal(str(match.PatientID), who.ARCHIBALD_NEXT.mrn, "PatientID of a match")
        check_equal(str(match.PatientName), who.ARCHIBALD_NEXT.name, "PatientName of a match")
    levels = (
        frozenset(str(match.StudyInstanceUID) for match in studies),
        *_below(workstation, studies),
    )
    check_equal(levels, levels_of(stage.images.archibald), "studies, series, images by C-FIND")
    radiologist = stage.web(CENTRE, user=f"radiologist.{who.NEXT}")
    by_qido = levels_by_qido(radiologist, {"PatientID": who.ARCHIBALD_NEXT.mrn})
    check_equal(by_qido, levels, "the same by QIDO-RS at the centre")
    return evidence(
        f"C-FIND by {who.NEXT}'s number: {len(levels[0])} studies, {len(levels[1])} series,"
        f" {len(levels[2])} images, each under {who.NEXT}'s number and name",
        f"QIDO-RS at the centre by {who.NEXT}'s number finds the same",
    )


def _ok(found: Found) -> tuple[Dataset, ...]:
    check_equal(f"{found.status:04X}H", "0000H", "final status of C-FIND", hint=found.comment)
    return found.matches


def _below(
    workstation: Workstation, studies: Sequence[Dataset]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the UIDs of the series and images below some studies, asked level by level."""
    series, images = set(), set()
    for study in studies:
        keys = {"StudyInstanceUID": str(study.StudyInstanceUID), "SeriesInstanceUID": ""}
        for match in _ok(workstation.find("SERIES", {**keys, "Modality": ""})):
            uid = str(match.SeriesInstanceUID)
            series.add(uid)
            below = {**keys, "SeriesInstanceUID": uid, "SOPInstanceUID": "", "InstanceNumber": ""}
            images |= {str(image.SOPInstanceUID) for image in _ok(workstation.find("IMAGE", below))}
    return frozenset(series), frozenset(images)


def got_by_c_get(stage: Stage) -> Evidence:
    """C-GET every prior and check what it carries."""
    images = stage.images.archibald
    retrieved = stage.workstation(who.WORKSTATION, at=who.NEXT).get(
        "STUDY",
        {"StudyInstanceUID": study_uids(images)},
        kinds=[image.wire_object.context for image in images],
        directory=stage.scratch / "got",
    )
    check_complete(retrieved, len(images), "C-GET")
    seen = check_stamped(images, retrieved.received)
    return evidence(f"C-GET brought {len(images)} images", *seen)


def moved_by_c_move(stage: Stage) -> Evidence:
    """C-MOVE every prior to the workstation and check what comes there."""
    images = stage.images.archibald
    before = len(stage.recorder.received())
    retrieved = stage.workstation(who.WORKSTATION, at=who.NEXT).move(
        "STUDY", {"StudyInstanceUID": study_uids(images)}, destination=who.WORKSTATION
    )
    check_complete(retrieved, len(images), "C-MOVE")
    came = stage.recorder.received()[before:]
    check_stamped(images, came)
    originators = {each.move_originator for each in came}
    check_equal(originators, {who.WORKSTATION}, "Move Originator of each C-STORE")
    return evidence(
        f"C-MOVE sent {len(came)} images to {who.WORKSTATION}, stamped and unchanged as above"
    )


def study_uids(images: Iterable[Image]) -> str:
    """Return the Study Instance UIDs as the value of a key, a list."""
    return "\\".join(sorted({image.study_instance_uid for image in images}))


def check_complete(retrieved: Retrieved, number: int, what: str) -> None:
    """Check that a retrieval ended with success and left nothing out."""
    seen = (f"{retrieved.status:04X}H", retrieved.completed, retrieved.failed, retrieved.warning)
    expected = ("0000H", number, 0, 0)
    words = f"status, completed, failed, warning of {what}"
    check_equal(seen, expected, words, hint=retrieved.comment)


def check_stamped(images: Sequence[Image], received: Sequence[Received]) -> tuple[str, ...]:
    """Check that what came is the priors under the next trust's identifiers; say so."""
    by_uid = {each.sop_instance_uid: each for each in received}
    check_equal(set(by_uid), {image.sop_instance_uid for image in images}, "images that came")
    check_equal(len(received), len(images), "number of images that came")
    for image in images:
        came = by_uid[image.sop_instance_uid]
        check_object(image, read_data_set(came.path, came.transfer_syntax))
    identifiers = f"PatientID, issuer, name, birth date and sex are those of {who.NEXT}'s PAS"
    accession = f"AccessionNumber is an alias of at most {ALIAS_LIMIT} characters"
    others = f"{who.HOME}'s and the NHS number are in OtherPatientIDsSequence"
    former = "former values in OriginalAttributesSequence (COERCE)"
    unchanged = f"UIDs, and the octets of all {len(images)} PixelData, are unchanged"
    return f"{identifiers}; {accession}", f"{others}, {former}", unchanged


def check_object(image: Image, came: Dataset) -> None:
    """Check one stamped object: identifiers, originals, UIDs, pixels."""
    _check_uids_and_pixels(image, came)
    person = who.ARCHIBALD_NEXT
    stamped = {
        "PatientID": person.mrn,
        "IssuerOfPatientID": person.authority,
        "PatientName": person.name,
        "PatientBirthDate": person.birth_date,
        "PatientSex": person.sex,
    }
    for keyword, value in stamped.items():
        check_equal(str(came.get(keyword)), value, keyword)
    _check_former_numbers(came)
    _check_originals(image, came)
    if image.accession_number:
        _check_accession(image, came)


def _check_uids_and_pixels(image: Image, came: Dataset) -> None:
    for keyword, value in (
        ("StudyInstanceUID", image.study_instance_uid),
        ("SeriesInstanceUID", image.series_instance_uid),
        ("SOPInstanceUID", image.sop_instance_uid),
    ):
        check_equal(str(came.get(keyword)), value, keyword)
    check_equal(pixel_digest(came), image.pixels, "SHA-256 of PixelData")


def _check_former_numbers(came: Dataset) -> None:
    listed = {
        (str(item.PatientID), str(item.IssuerOfPatientID), str(item.TypeOfPatientID))
        for item in came.get("OtherPatientIDsSequence") or ()
    }
    home, person = (who.ARCHIBALD.mrn, who.HOME, "TEXT"), who.ARCHIBALD_NEXT
    wanted = {home, (person.nhs_number, "NHS", "TEXT")}
    check(wanted <= listed, expected=f"OtherPatientIDsSequence with {sorted(wanted)}", seen=listed)


def _check_originals(image: Image, came: Dataset) -> None:
    former = {
        element.keyword: str(element.value)
        for item in came.get("OriginalAttributesSequence") or ()
        if item.ReasonForTheAttributeModification == "COERCE"
        for modified in item.ModifiedAttributesSequence
        for element in modified
    }
    check_equal(former.get("PatientID"), image.patient_id, "former PatientID")
    check_equal(former.get("PatientName"), who.ARCHIBALD.name, "former PatientName")


def _check_accession(image: Image, came: Dataset) -> None:
    alias = str(came.AccessionNumber)
    holds = alias != image.accession_number and 0 < len(alias) <= ALIAS_LIMIT
    check(holds, expected=f"an alias of 1 to {ALIAS_LIMIT} characters", seen=alias)
    issuer = came.get("IssuerOfAccessionNumberSequence") or ()
    check(len(issuer) == 1, expected="one IssuerOfAccessionNumberSequence item", seen=len(issuer))
