"""A rejection note: what it names disappears everywhere, and its octets are kept."""

import tarfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from deploy.demo import who
from deploy.demo.chapters.centre import stored_path
from deploy.demo.evidence import Evidence, StepFailed, check_equal, eventually, evidence
from deploy.demo.images import part10, rejection_note
from deploy.demo.stage import Image, Stage, data_set_digest
from deploy.demo.wire_object import WireObject
from deploy.region.options import CENTRE

SECONDS_TO_HIDE = 20.0
HOLDERS = (who.HOME, CENTRE, who.NEXT)
"""Tiers that hold what is rejected."""


def image_is_rejected(stage: Stage) -> Evidence:
    """Let the modality send a note about one slice, and wait until no door shows the slice."""
    rejected = stage.images.ct[len(stage.images.ct) // 2]
    note = rejection_note([rejected.path], description="Patient moved (generated example)")
    stage.told.rejected, stage.told.note_uid = rejected, str(note.SOPInstanceUID)
    (stored,) = stage.modality(who.CT_1).store([WireObject.from_part10(part10(note))])
    check_equal(stored.status, 0, "status of the note's C-STORE", hint=stored.error_comment)
    for tier in HOLDERS:
        eventually(
            lambda tier=tier: doors_that_show(stage, tier, rejected),  # type: ignore[misc]
            lambda doors: not doors,
            expected=f"no door of {tier} shows the rejected image",
            seconds=SECONDS_TO_HIDE,
            hint="States travel before packs: look at the jobs of kind 'tell' at RXA.",
        )
    kept = [f"{tier} {_kept(stage, tier, rejected)}" for tier in HOLDERS]
    return evidence(
        f"a Key Object (113001, DCM, Rejected for Quality Reasons) names slice"
        f" {len(stage.images.ct) // 2 + 1} of the CT",
        "gone from C-FIND, C-GET, QIDO-RS, WADO-RS and .../stored at "
        f"{', '.join(HOLDERS)}; the other {len(stage.images.ct) - 1} slices are there",
        f"its octets are kept, digest as sent: {'; '.join(kept)}",
    )


def doors_that_show(stage: Stage, tier: str, image: Image) -> tuple[str, ...]:
    """Return the doors of a tier that still show an image, or show less than the others."""
    return (*_http_doors(stage, tier, image), *_dicom_doors(stage, tier, image))


def _http_doors(stage: Stage, tier: str, image: Image) -> Iterator[str]:
    web = stage.web(tier, user="operator")
    series = f"/studies/{image.study_instance_uid}/series/{image.series_instance_uid}"
    instance = f"{series}/instances/{image.sop_instance_uid}"
    found = {match["00080018"]["Value"][0] for match in web.found(f"{series}/instances")}
    if image.sop_instance_uid in found or len(found) != len(stage.images.ct) - 1:
        yield f"QIDO-RS ({len(found)} instances)"
    for name, path in (
        ("WADO-RS", f"/dicom-web{instance}"),
        ("metadata", f"/dicom-web{instance}/metadata"),
        (".../stored", stored_path(image)),
    ):
        status = web.get(path).status
        if status != HTTPStatus.NOT_FOUND:
            yield f"{name} ({status})"
    digest = stage.told.sent[image.sop_instance_uid].stored.sha256
    status = web.get(stored_path(image), {"sha256": digest}).status
    if status != HTTPStatus.NOT_FOUND:
        yield f".../stored?sha256= ({status})"


def _dicom_doors(stage: Stage, tier: str, image: Image) -> Iterator[str]:
    calling = who.NEXT if tier == CENTRE else who.WORKSTATION
    workstation = stage.workstation(calling, at=tier)
    keys = {
        "StudyInstanceUID": image.study_instance_uid,
        "SeriesInstanceUID": image.series_instance_uid,
        "SOPInstanceUID": "",
    }
    found = {str(match.SOPInstanceUID) for match in workstation.find("IMAGE", keys).matches}
    if image.sop_instance_uid in found or len(found) != len(stage.images.ct) - 1:
        yield f"C-FIND ({len(found)} images)"
    got = workstation.get(
        "IMAGE",
        {**keys, "SOPInstanceUID": image.sop_instance_uid},
        kinds=[image.wire_object.context],
        directory=stage.scratch / "rejected",
    )
    if got.received or got.completed:
        yield "C-GET"


def _kept(stage: Stage, tier: str, image: Image) -> str:
    """Return the name of the pack in which an image still lies with the digest it was sent with."""
    directory = stage.directory / ("central" if tier == CENTRE else f"trusts/{tier}")
    wanted = stage.told.sent[image.sop_instance_uid].stored.sha256
    for pack in sorted(directory.rglob("*.tar")):
        if wanted in digests_in(pack):
            return f"pack {pack.stem[:12]}..."
    raise StepFailed(expected=f"the rejected image's octets at {tier}", seen="no pack has them")


def digests_in(pack: Path) -> Iterator[str]:
    """Give SHA-256 of the Data Set of each instance in a pack, which any tar program opens."""
    with tarfile.open(pack) as opened:
        for member in opened:
            stream = opened.extractfile(member)
            if member.name.startswith("instances/") and stream is not None:
                yield data_set_digest(stream.read())
