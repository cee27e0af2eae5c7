"""A study is archived: the modality stores, the PAS tells who it is, the centre gets it."""

from collections import Counter
from collections.abc import Sequence

from deploy.demo import who
from deploy.demo.evidence import Evidence, check_equal, eventually, evidence, fingerprint
from deploy.demo.mllp import MllpClient
from deploy.demo.modality import Stored
from deploy.demo.pas import Feed, Message, Person, Report, adt, oru
from deploy.demo.stage import Image, Sent, Stage
from deploy.region.options import CENTRE

SECONDS_TO_REPLICATE = 20.0
PAS_FEED = Feed(sending_application="PAS", sending_facility=who.HOME)
RIS_FEED = Feed(sending_application="RIS", sending_facility=who.HOME)


def modality_stores(stage: Stage) -> Evidence:
    """Let two modalities of the home trust echo and store; every answer must be 0000H."""
    images = stage.images
    of_ct_1 = _stored(stage, who.CT_1, (*images.archibald, *images.peter))
    of_west = _stored(stage, who.WEST_CT, images.namesake)
    octets = sum(stored.octets for stored in (*of_ct_1, *of_west))
    studies = len({image.study_instance_uid for image in images.archibald + images.peter})
    return evidence(
        "C-ECHO answered 0000H",
        f"{who.CT_1} stored {len(of_ct_1)} objects of 2 patients in {studies} studies,"
        f" {len(images.ct)} of them a generated CT of 512 x 512",
        f"{who.WEST_CT}, of the trust's western hospital, stored {len(of_west)} of another person"
        " with the same patient number",
        f"{octets / 1e6:.1f} MB in all, every answer 0000H: on the node's disk",
        f"SHA-256 of the Data Sets on {who.CT_1}'s wire: {fingerprint(_digests(of_ct_1))}",
        digests=_digests((*of_ct_1, *of_west)),
    )


def _digests(outcomes: Sequence[Stored]) -> list[str]:
    return [stored.sha256 for stored in outcomes]


def _stored(stage: Stage, ae_title: str, images: tuple[Image, ...]) -> list[Stored]:
    modality = stage.modality(ae_title)
    check_equal(f"{modality.echo():04X}H", "0000H", "status of C-ECHO")
    outcomes = modality.store([image.wire_object for image in images])
    answers = Counter(_status(stored) for stored in outcomes)
    check_equal(dict(answers), {"0000H": len(images)}, "answers to C-STORE")
    for image, stored in zip(images, outcomes, strict=True):
        stage.told.sent[image.sop_instance_uid] = Sent(image, stored)
    return outcomes


def _status(stored: Stored) -> str:
    return stored.error_comment if stored.status is None else f"{stored.status:04X}H"


def pas_tells(stage: Stage) -> Evidence:
    """Let PAS and RIS of the home trust tell who the patients are, and one report."""
    report = oru(who.ARCHIBALD, _report(stage), feed=RIS_FEED)
    with stage.pas(who.HOME) as pas:
        _acknowledged(pas, adt("A28", who.ARCHIBALD, feed=PAS_FEED))
        _acknowledged(pas, adt("A04", who.PETER, feed=PAS_FEED))
        _acknowledged(pas, adt("A28", who.NAMESAKE, feed=PAS_FEED))
        _acknowledged(pas, report)
    stage.told.report = report.octets
    return evidence(
        f"ADT^A28, A04, A28: {who.HOME}'s numbers in PID-3, each with its NHS number,"
        " status 01 in PID-32; all AA",
        f"ORU^R01 of {len(report.octets)} octets, the report of the CT: AA",
    )


def _report(stage: Stage) -> Report:
    return Report(
        text=who.REPORT.text,
        accession=who.REPORT.accession,
        study_instance_uid=stage.images.ct_study_uid,
        procedure=who.REPORT.procedure,
        modality=who.REPORT.modality,
    )


def _acknowledged(pas: MllpClient, message: Message) -> None:
    acknowledgement = pas.send(message)
    seen = (acknowledgement.code, acknowledgement.control_id)
    check_equal(seen, ("AA", message.control_id), "acknowledgement", hint=acknowledgement.text)


def admitted(stage: Stage, person: Person, *, trust: str, ward: str) -> None:
    """Let a trust's PAS tell that somebody was admitted (ADT^A01)."""
    feed = Feed(sending_application="PAS", sending_facility=trust)
    with stage.pas(trust) as pas:
        _acknowledged(pas, adt("A01", person, feed=feed, ward=ward))


def centre_confirms(stage: Stage) -> Evidence:
    """Wait until every study of the home trust is sealed, sent, and confirmed by the centre."""
    sent = stage.told.sent.values()
    studies = len({each.image.study_instance_uid for each in sent})
    series = len({each.image.series_instance_uid for each in sent})
    packs = series + 1
    node = stage.web(who.HOME, user="operator")
    eventually(
        lambda: _standing(node.metrics()),
        lambda seen: seen == ({"REPLICATED": studies}, 0, packs),
        expected=f"{studies} studies REPLICATED, nothing loose, {packs} packs at {who.HOME}",
        seconds=SECONDS_TO_REPLICATE,
        hint="Look at the jobs: imagestore queue list --dir DIR, and the logs in DIR/log.",
    )
    centre = stage.web(CENTRE, user="operator").metrics()
    at_centre = (centre["instances"], centre["packs"], centre["documents"])
    check_equal(at_centre, (len(sent), packs, 1), "instances, packs and documents at the centre")
    return evidence(
        f"{len(sent)} objects sealed into {series} packs, the report into one of its own",
        f"{packs} packs announced, put, and confirmed by the centre digest by digest",
        f"{studies} studies REPLICATED at {who.HOME}; the centre holds {at_centre[0]} objects"
        f" and {at_centre[2]} report",
    )


def _standing(metrics: dict[str, int]) -> tuple[dict[str, int], int, int]:
    states = {
        name.removeprefix('study_states{state="').removesuffix('"}'): number
        for name, number in metrics.items()
        if name.startswith("study_states")
    }
    return states, metrics["loose_instances"], metrics["packs"]
