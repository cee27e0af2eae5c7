"""Who has no number for the patient gets nothing, and equal numbers of two people never mix."""

from collections.abc import Mapping

from deploy.demo import who
from deploy.demo.chapters.centre import levels_of
from deploy.demo.chapters.priors import study_uids
from deploy.demo.evidence import Evidence, StepFailed, check, check_equal, eventually, evidence
from deploy.demo.modality import AssociationRejected
from deploy.demo.stage import Image, Stage
from deploy.demo.workstation import Retrieved
from deploy.region.options import CENTRE

NOTHING_COUNTED = ("instances", "loose_instances", "packs", "documents", "patients", "held")
SECONDS_TO_NOTE = 10.0
CALLING_AE_NOT_RECOGNISED = (1, 1, 3)
"""Result, source and reason of A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""


def stranger_has_nothing(stage: Stage) -> Evidence:
    """Hold that the third trust got nothing, and that its node finds and moves nothing."""
    metrics = stage.web(who.STRANGER, user="operator").metrics()
    counted = {name: metrics[name] for name in NOTHING_COUNTED}
    check_equal(counted, dict.fromkeys(NOTHING_COUNTED, 0), f"counts at {who.STRANGER}")
    check_equal([name for name in metrics if name.startswith("studies")], [], "studies there")
    workstation = stage.workstation(who.STRANGERS_WORKSTATION, at=who.STRANGER)
    keys = {"StudyInstanceUID": study_uids(stage.images.archibald)}
    found = workstation.find("STUDY", {**keys, "PatientID": ""})
    check_equal((found.status, len(found.matches)), (0, 0), "status and matches of C-FIND")
    before = len(stage.recorder.received())
    moved = workstation.move("STUDY", keys, destination=who.WORKSTATION)
    came = len(stage.recorder.received()) - before
    check_equal((moved.completed, came), (0, 0), "images moved")
    return evidence(
        f"{who.STRANGER} holds 0 instances, 0 packs, 0 reports, and knows 0 patients",
        "C-FIND there finds 0 studies, C-MOVE moves 0 images",
    )


def centre_sends_strangers_nothing(stage: Stage) -> Evidence:
    """Ask the centre's DICOM door as a trust that has no number for the patient."""
    workstation = stage.workstation(who.STRANGERS_WORKSTATION, at=CENTRE)
    images = stage.images.archibald
    keys = {"StudyInstanceUID": study_uids(images)}
    before = len(stage.recorder.received())
    moved = workstation.move("STUDY", keys, destination=who.WORKSTATION)
    _check_all_failed(moved, images, "C-MOVE")
    got = workstation.get(
        "STUDY",
        keys,
        kinds=[image.wire_object.context for image in images],
        directory=stage.scratch / "stranger",
    )
    _check_all_failed(got, images, "C-GET")
    check_equal(len(stage.recorder.received()) - before, 0, "images that left for a stranger")
    return evidence(
        f"{who.STRANGERS_WORKSTATION} of {who.STRANGER}, which has no number for the patient:"
        f" C-MOVE and C-GET at the centre fail {len(images)} sub-operations each",
        f'named in the Failed SOP Instance UID List; Error Comment "{got.comment}"',
    )


def _check_all_failed(retrieved: Retrieved, images: tuple[Image, ...], what: str) -> None:
    seen = (retrieved.completed, retrieved.failed, len(retrieved.received))
    words = f"completed, failed and received by {what}"
    check_equal(seen, (0, len(images), 0), words, hint=retrieved.comment)
    named = set(retrieved.failed_uids)
    check_equal(named, {image.sop_instance_uid for image in images}, f"UIDs that {what} names")
    check(retrieved.status, expected=f"a failure of {what}", seen=f"{retrieved.status:04X}H")


def centre_refuses_the_unknown(stage: Stage) -> Evidence:
    """Call the centre's door by an AE title that its table does not have."""
    try:
        stage.workstation(who.NOBODY, at=CENTRE).find("STUDY", {"StudyInstanceUID": ""})
    except AssociationRejected as refusal:
        seen = (refusal.result, refusal.source, refusal.reason)
        check_equal(seen, CALLING_AE_NOT_RECOGNISED, "A-ASSOCIATE-RJ")
    else:
        raise StepFailed(expected="A-ASSOCIATE-RJ 1,1,3", seen="the association was accepted")
    operator = stage.web(CENTRE, user="operator")
    eventually(
        lambda: operator.metrics()["data_quality"],
        lambda findings: findings > 0,
        expected="a finding at the centre",
        seconds=SECONDS_TO_NOTE,
    )
    return evidence(
        "a calling AE that is in no table is refused: A-ASSOCIATE-RJ 1,1,3,"
        " calling AE title not recognised",
        "an operator finds it on the centre's page, among what a person is to look at",
    )


def equal_numbers_never_mix(stage: Stage) -> Evidence:
    """Ask by one number that two people of the home trust have from two PAS."""
    images = stage.images
    by_default = _found(stage, who.READING_ROOM)
    by_west = _found(stage, who.WEST_CT)
    his, hers = levels_of(images.archibald)[0], levels_of(images.namesake)[0]
    check_equal(by_default, his, f"studies by {who.READING_ROOM}, which speaks for {who.HOME}")
    check_equal(by_west, hers, f"studies by {who.WEST_CT}, which speaks for {who.WEST}")
    centre = stage.web(CENTRE, user=f"radiologist.{who.HOME}")
    for issuer, wanted in (({}, his), ({"IssuerOfPatientID": who.WEST}, hers)):
        keys: Mapping[str, str] = {"PatientID": who.ARCHIBALD.mrn, **issuer}
        found = {match["0020000D"]["Value"][0] for match in centre.found("/studies", keys)}
        check_equal(found, set(wanted), f"studies at the centre, issuer {issuer or who.HOME}")
    return evidence(
        f"number {who.ARCHIBALD.mrn} of {who.HOME} finds {len(his)} studies, the same number of"
        f" {who.WEST} {len(hers)} of another person, at the node and at the centre",
    )


def _found(stage: Stage, ae_title: str) -> frozenset[str]:
    keys = {"PatientID": who.ARCHIBALD.mrn, "StudyInstanceUID": ""}
    found = stage.workstation(ae_title, at=who.HOME).find("STUDY", keys)
    check_equal(f"{found.status:04X}H", "0000H", f"C-FIND of {ae_title}", hint=found.comment)
    return frozenset(str(match.StudyInstanceUID) for match in found.matches)
