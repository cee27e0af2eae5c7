"""Packs and announcements made by hand, where a node's own way is too well-behaved."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from archive.store.manifest import PackKind
from archive.store.pack import build_pack
from sync.transfer.messages import (
    AnnouncementMessage,
    IssuerPart,
    PackPart,
    SeriesPart,
    StudyPart,
)
from tests.central.nodes import PackFile
from tests.store.examples import (
    SERIES,
    STUDY,
    Instance,
    document,
    instance,
    manifest_of,
    metadata_of,
    origin_of,
)

RXA = IssuerPart(organisation="RXA", namespace="RXA")


def packed(
    target: Path,
    instances: Sequence[Instance],
    *,
    custodian: str = "RXA",
    node: str = "RXA",
    kind: PackKind = PackKind.SERIES,
) -> PackFile:
    """Return a pack of one series; another ``node`` gives another encoding of the same content."""
    built = build_pack(
        target,
        manifest=manifest_of(instances, kind),
        metadata=metadata_of(instances),
        origin=replace(origin_of(len(instances)), custodian=custodian, node=node, mrn="100"),
        sources=[each.source() for each in instances],
    )
    digests = tuple(sorted({each.member.sha256.hex() for each in instances}))
    return PackFile(built.content_id.hex(), built.encoding_id.hex(), target.read_bytes(), digests)


def some(*numbers: int) -> list[Instance]:
    return [instance(number) for number in numbers]


def letters(*numbers: int) -> list[Instance]:
    return [document(f"2.25.{number}", f"MSH|{number}".encode()) for number in numbers]


def told(
    *groups: Sequence[Instance], custodian: str = "RXA", kind: PackKind = PackKind.SERIES
) -> AnnouncementMessage:
    """Return the announcement of packs of one series."""
    issuer = IssuerPart(organisation=custodian, namespace=custodian)
    return AnnouncementMessage(
        custodian=custodian,
        study=StudyPart(study_instance_uid=STUDY, issuer=issuer, mrn="100"),
        series=SeriesPart(series_instance_uid=SERIES, kind=kind.value, modality="CT"),
        packs=tuple(part(group, custodian=custodian, kind=kind) for group in groups),
    )


def part(
    instances: Sequence[Instance], *, custodian: str = "RXA", kind: PackKind = PackKind.SERIES
) -> PackPart:
    manifest = manifest_of(instances, kind)
    origin = replace(origin_of(len(instances)), custodian=custodian, mrn="100")
    return PackPart(
        content=manifest.content_id.hex(),
        manifest=manifest.canonical().decode(),
        origin=origin.canonical().decode(),
    )
