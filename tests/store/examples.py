"""Things that the tests of the store write and pack."""

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from archive.store.disk import RealDisk
from archive.store.manifest import Manifest, Member, PackKind
from archive.store.origin import Arrival, Origin
from archive.store.pack import Source, Verified, build_pack
from archive.store.part10 import file_meta
from archive.store.segment import Envelope
from archive.store.spool import Spool
from archive.words.identity import Issuer

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
STUDY = "1.2.826.0.1.3680043.8.498.1"
SERIES = "1.2.826.0.1.3680043.8.498.2"
HL7 = "x-application/hl7-v2+er7"
FLOOR = 1024


class FakeClock:
    def __init__(self) -> None:
        self._now = datetime(2024, 2, 29, 12, 30, 15, 123000, tzinfo=UTC)
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)


ENVELOPE = Envelope(
    association="a-1",
    context_id=3,
    calling_ae="CT1",
    called_ae="RXA",
    peer="192.0.2.7:50123",
    arrived_at=datetime(2024, 2, 29, 12, 30, 15, 123000, tzinfo=UTC),
    transfer_syntax=EXPLICIT,
    sop_class_uid=CT,
    sop_instance_uid="1.2.3.4",
)


def envelope(sop_instance_uid: str = "1.2.3.4") -> Envelope:
    return replace(ENVELOPE, sop_instance_uid=sop_instance_uid)


def real_spool(directory: Path, *, rollover_bytes: int = 2**26) -> Spool:
    return Spool(
        directory,
        disk=RealDisk(),
        clock=FakeClock(),
        floor_bytes=FLOOR,
        rollover_bytes=rollover_bytes,
    )


def data_set(sop_instance_uid: str, filling: int) -> bytes:
    """A small Explicit VR Little Endian Data Set."""
    uid = sop_instance_uid.encode()
    uid += b"\0" * (len(uid) % 2)
    pixels = bytes((at * 7 + filling) % 256 for at in range(2 * filling))
    return (
        struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", len(uid))
        + uid
        + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels))
        + pixels
    )


@dataclass(frozen=True)
class Instance:
    member: Member
    part10: bytes
    data_set: bytes

    def source(self) -> Source:
        offset = len(self.part10) - len(self.data_set)
        return Source(
            member=self.member,
            part10_length=len(self.part10),
            data_set_offset=offset,
            open=lambda: in_chunks(self.part10),
        )


def in_chunks(octets: bytes, size: int = 100) -> Iterator[bytes]:
    return (octets[at : at + size] for at in range(0, len(octets), size))


def instance(number: int, *, instance_number: str | None = None) -> Instance:
    uid = f"1.2.826.0.1.3680043.8.498.3.{number}"
    octets = data_set(uid, 300 + number)
    head = file_meta(
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax=EXPLICIT,
        calling_ae="CT1",
        called_ae="RXA",
    )
    member = Member(
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax=EXPLICIT,
        instance_number=str(number) if instance_number is None else instance_number,
        sha256=hashlib.sha256(octets).digest(),
        size=len(octets),
    )
    return Instance(member=member, part10=head + octets, data_set=octets)


def document(uid: str, octets: bytes) -> Instance:
    member = Member(
        sop_class_uid="",
        sop_instance_uid=uid,
        transfer_syntax=HL7,
        instance_number="",
        sha256=hashlib.sha256(octets).digest(),
        size=len(octets),
    )
    return Instance(member=member, part10=octets, data_set=octets)


def manifest_of(instances: Sequence[Instance], kind: PackKind = PackKind.SERIES) -> Manifest:
    return Manifest.of(
        study_instance_uid=STUDY,
        series_instance_uid=SERIES,
        kind=kind,
        members=(instance.member for instance in instances),
    )


def origin_of(count: int) -> Origin:
    return Origin(
        custodian="RXA",
        site="WEST",
        node="RXA",
        authority=Issuer(organisation="RXA", namespace="RXAW"),
        mrn="0012",
        registered_day="2024-02-29",
        arrivals=tuple(Arrival("CT1", "RXA", 1709209815123 + at) for at in range(count)),
    )


def metadata_of(instances: Sequence[Instance]) -> bytes:
    array = [
        {"00080018": {"vr": "UI", "Value": [instance.member.sop_instance_uid]}}
        for instance in instances
    ]
    return json.dumps(array).encode()


def pack_of(
    target: Path, instances: Sequence[Instance], kind: PackKind = PackKind.SERIES
) -> Verified:
    return build_pack(
        target,
        manifest=manifest_of(instances, kind),
        metadata=metadata_of(instances),
        origin=origin_of(len(instances)),
        sources=[instance.source() for instance in instances],
    )


def body_of(number: int) -> bytes:
    """A body that tells its number."""
    return b"%08d" % number * (1 + number * 37 % 900)
