"""The patient turns up at the next trust, and the priors are there before anybody asks."""

import time

from deploy.demo import who
from deploy.demo.chapters.archiving import admitted
from deploy.demo.chapters.centre import octets_by_wado, report_of
from deploy.demo.evidence import Evidence, check_equal, eventually, evidence, fingerprint
from deploy.demo.stage import Stage
from deploy.demo.web import Web

SECONDS_TO_BRING = 20.0


def priors_arrive(stage: Stage) -> Evidence:
    """Admit the patient at the next trust and wait until its node holds his priors."""
    priors = stage.images.archibald
    series = len({image.series_instance_uid for image in priors})
    node = stage.web(who.NEXT, user="operator")
    check_equal(_held(node), (0, 0, 0), f"instances, packs and documents at {who.NEXT} before")
    began = time.monotonic()
    admitted(stage, who.ARCHIBALD_NEXT, trust=who.NEXT, ward="A&E")
    eventually(
        lambda: _held(node),
        lambda held: held == (len(priors), series + 1, 1),
        expected=f"{len(priors)} instances, {series + 1} packs and 1 document at {who.NEXT}",
        seconds=SECONDS_TO_BRING,
        hint="Look at orders and jobs: imagestore status --dir DIR, imagestore trace UID.",
    )
    seconds = time.monotonic() - began
    digest = report_of(stage, who.NEXT, user=f"radiologist.{who.NEXT}")
    came = octets_by_wado(stage, who.NEXT, priors, user="operator")
    return evidence(
        f"ADT^A01 at {who.NEXT} with its own number, the same NHS number, birth date and name: AA",
        "the centre linked the two records and ordered the priors, the report first",
        f"{seconds:.1f} s later {len(priors)} instances of 3 studies lie at {who.NEXT},"
        f" as on {who.CT_1}'s wire: {fingerprint(came)}",
        f"the report beside them is the message as sent, SHA-256 {digest[:16]}",
        digests=came,
    )


def _held(node: Web) -> tuple[int, int, int]:
    metrics = node.metrics()
    return metrics["instances"], metrics["packs"], metrics["documents"]


def nothing_else_came(stage: Stage) -> Evidence:
    """Hold that the next trust got the priors of its patient, and of nobody else."""
    found = stage.web(who.NEXT, user="operator").found("/studies")
    uids = {match["0020000D"]["Value"][0] for match in found}
    wanted = {image.study_instance_uid for image in stage.images.archibald}
    check_equal(uids, wanted, f"studies at {who.NEXT}")
    return evidence(
        f"{who.NEXT} has his {len(uids)} studies; the other patient's and his namesake's stayed"
    )
