"""The centre answers: queries at three levels, and every instance back as it was sent."""

import hashlib
from typing import Any

from deploy.demo import who
from deploy.demo.evidence import Evidence, check, check_equal, evidence, fingerprint
from deploy.demo.stage import Image, Sent, Stage, data_set_digest
from deploy.demo.web import STORED, Web
from deploy.region.options import CENTRE

PATIENT_ID = "00100020"
ISSUER = "00100021"
STUDY_UID = "0020000D"
SERIES_UID = "0020000E"
SOP_UID = "00080018"
INSTANCES_OF_STUDY = "00201208"


def queries_centre(stage: Stage) -> Evidence:
    """Ask the centre for the patient by the home trust's number, at three levels."""
    web = stage.web(CENTRE, user=f"radiologist.{who.HOME}")
    images = stage.images.archibald
    seen = levels_by_qido(web, {"PatientID": who.ARCHIBALD.mrn})
    check_equal(seen, levels_of(images), "studies, series and instances by QIDO-RS")
    counted = f"{len(seen[0])} studies, {len(seen[1])} series, {len(seen[2])} instances"
    return evidence(f"QIDO-RS by {who.HOME}'s number finds {counted}, all of them his")


Levels = tuple[frozenset[str], frozenset[str], frozenset[str]]


def levels_by_qido(web: Web, keys: dict[str, str]) -> Levels:
    """Return the UIDs of studies, series and instances that QIDO-RS finds."""
    return (
        frozenset(_value(each, STUDY_UID) for each in web.found("/studies", keys)),
        frozenset(_value(each, SERIES_UID) for each in web.found("/series", keys)),
        frozenset(_value(each, SOP_UID) for each in web.found("/instances", keys)),
    )


def levels_of(images: tuple[Image, ...]) -> Levels:
    """Return the UIDs of studies, series and instances of some images."""
    return (
        frozenset(image.study_instance_uid for image in images),
        frozenset(image.series_instance_uid for image in images),
        frozenset(image.sop_instance_uid for image in images),
    )


def _value(match: dict[str, Any], tag: str) -> str:
    values = match.get(tag, {}).get("Value") or [""]
    return str(values[0])


def gives_back_by_wado(stage: Stage) -> Evidence:
    """Retrieve every study of both patients by WADO-RS; the octets must be those sent."""
    images = (*stage.images.archibald, *stage.images.peter)
    came = octets_by_wado(stage, CENTRE, images, user=f"radiologist.{who.HOME}")
    studies = len({image.study_instance_uid for image in images})
    return evidence(
        f"WADO-RS gives {len(came)} instances in {studies} studies",
        f"SHA-256 of the Data Sets as on {who.CT_1}'s wire: {fingerprint(came)}",
        digests=came,
    )


def octets_by_wado(stage: Stage, tier: str, images: tuple[Image, ...], *, user: str) -> list[str]:
    """Retrieve the studies of some images and return the digests, which must be those sent."""
    web = stage.web(tier, user=user)
    studies = sorted({image.study_instance_uid for image in images})
    parts = (part10 for study in studies for part10 in web.instances(f"/studies/{study}"))
    came = [data_set_digest(part10) for part10 in parts]
    check_equal(len(came), len(images), f"instances by WADO-RS at {tier}")
    sent = {each.stored.sha256 for each in stage.told.of(images)}
    check_equal(set(came), sent, f"digests of the Data Sets by WADO-RS at {tier}")
    return came


def gives_stored_octets(stage: Stage) -> Evidence:
    """Ask for the stored octets of each instance; ETag and body must have the digest sent."""
    web = stage.web(CENTRE, user="operator")
    everything = list(stage.told.sent.values())
    digests = [_stored(web, each) for each in everything]
    return evidence(
        f".../stored gives {len(digests)} instances, digest in the ETag and in the octets,"
        " all as on the wire",
        digests=digests,
    )


def _stored(web: Web, sent: Sent) -> str:
    answer = web.get(stored_path(sent.image), {"sha256": sent.stored.sha256}, accept=STORED)
    check_equal(answer.status, 200, "status of .../stored")
    check_equal(answer.headers.get("etag"), f'"{sent.stored.sha256}"', "ETag of .../stored")
    check_equal(data_set_digest(answer.body), sent.stored.sha256, "digest of .../stored")
    return sent.stored.sha256


def stored_path(image: Image) -> str:
    """Return the address of an instance's stored octets."""
    return (
        f"/dicom-web/studies/{image.study_instance_uid}/series/{image.series_instance_uid}"
        f"/instances/{image.sop_instance_uid}/stored"
    )


def report_of(stage: Stage, tier: str, *, user: str) -> str:
    """Return the digest of the CT's report at a tier, which must be the message sent."""
    web = stage.web(tier, user=user)
    path = f"/dicom-web/studies/{stage.images.ct_study_uid}/documents"
    listed = web.get(path)
    check_equal(listed.status, 200, f"status of the reports at {tier}")
    check(len(listed.json) == 1, expected=f"one report at {tier}", seen=listed.json)
    uid = listed.json[0]["uid"]
    octets = web.get(f"{path}/{uid}").body
    check_equal(octets, stage.told.report, f"the report at {tier}")
    return hashlib.sha256(octets).hexdigest()
