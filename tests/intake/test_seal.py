"""Quiet series become packs that verify, hold every digest, and say where they come from."""

import gzip
import json
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection

from archive.index.copies import PackKey
from archive.index.documents import Document
from archive.index.packs import read_unsealed
from archive.intake import packing
from archive.intake.document_metadata import document_of
from archive.intake.packing import divided
from archive.store.layout import Layout
from archive.store.manifest import Manifest
from archive.store.origin import Origin
from archive.store.pack import Verified, build_pack, verify_pack
from archive.words.identity import Issuer, PatientIdentity
from deploy.demo.pas import Person, Report, oru
from deploy.demo.wire_object import WireObject
from tests.intake.house import QUIET_SECONDS, Cold, drain, octets_of
from tests.intake.samples import DEFLATED, IMPLICIT, RLE, image, letter, note, sent
from tests.intake.test_intake import hl7_port

JANE = Person(mrn="100", authority="RXA", name="Doe^Jane")


def packs(cold: Cold) -> list[Verified]:
    return [
        verify_pack(cold.directory / "blobs" / name) for name in sorted(cold.blobs.names("packs"))
    ]


def only_pack(cold: Cold) -> Verified:
    (pack,) = packs(cold)
    return pack


def metadata(cold: Cold, pack: Verified) -> list[dict[str, dict[str, object]]]:
    name = f"packs/{pack.encoding_id.hex()[:2]}/{pack.encoding_id.hex()}.tar"
    layout = pack.layout
    chunks = cold.blobs.read(name, offset=layout.metadata_offset, length=layout.metadata_length)
    return json.loads(gzip.decompress(b"".join(chunks)))  # type: ignore[no-any-return]


def stored(cold: Cold, pack: Verified, number: int) -> bytes:
    """Return a member's Data Set octets out of its pack."""
    place = pack.layout.placements[number]
    name = f"packs/{pack.encoding_id.hex()[:2]}/{pack.encoding_id.hex()}.tar"
    octets = b"".join(cold.blobs.read(name, offset=place.offset, length=place.length))
    return octets[place.data_set_offset :]


def taken_in(cold: Cold, *objects: WireObject) -> None:
    cold.store(*objects)
    cold.take_in()


def test_a_series_is_sealed_when_it_is_quiet_and_not_before(cold: Cold) -> None:
    taken_in(cold, sent(image()))
    sealer = cold.sealer()
    assert not sealer.once()
    cold.clock.advance(QUIET_SECONDS - 0.5)
    assert not sealer.once()
    cold.clock.advance(1)
    assert sealer.once()
    assert (cold.number("instance"), cold.number("pack")) == (0, 1)


def test_what_leaves_a_pack_is_what_came_bit_for_bit(cold: Cold) -> None:
    objects = [sent(image(f"1.2.3.1.{number}", pixels=number)) for number in range(1, 12)]
    taken_in(cold, *objects)
    cold.seal()
    pack = only_pack(cold)
    by_uid = {one.sop_instance_uid: octets_of(one) for one in objects}
    for number, member in enumerate(pack.manifest.members):
        assert stored(cold, pack, number) == by_uid[member.sop_instance_uid]


def test_the_row_of_a_pack_is_what_its_file_says(cold: Cold) -> None:
    taken_in(cold, sent(image()))
    cold.seal()
    pack, (row,) = only_pack(cold), cold.rows("pack")
    assert row["content_id"] == pack.content_id
    assert row["encoding_id"] == pack.encoding_id
    assert Manifest.unpacked(row["manifest"]) == pack.manifest  # type: ignore[arg-type]
    assert Layout.unpacked(row["layout"]) == pack.layout  # type: ignore[arg-type]
    assert row["origin"] == pack.origin.canonical().decode()


def test_a_pack_says_whose_it_is_and_how_each_member_came(cold: Cold) -> None:
    cold.store(sent(image("1.2.3.1.1")), calling_ae="CT1")
    cold.clock.advance(1)
    cold.store(sent(image("1.2.3.1.2")), calling_ae="CT2")
    cold.take_in()
    cold.seal()
    origin: Origin = only_pack(cold).origin
    assert (origin.custodian, origin.site, origin.node) == ("RXA", "MAIN", "RXA")
    assert (origin.authority, origin.mrn) == (Issuer("RXA", "RXA"), "100")
    assert origin.registered_day == "2026-03-01"
    first, second = origin.arrivals
    assert (first.calling_ae, second.calling_ae, first.called_ae) == ("CT1", "CT2", "RXA")
    assert second.arrived_ms - first.arrived_ms == 1000


def test_metadata_stands_in_the_order_of_the_manifest(cold: Cold) -> None:
    taken_in(cold, *(sent(image(f"1.2.3.1.{number}")) for number in (10, 9, 2, 1)))
    cold.seal()
    pack = only_pack(cold)
    named = [model["00080018"]["Value"] for model in metadata(cold, pack)]
    assert named == [[member.sop_instance_uid] for member in pack.manifest.members]


@pytest.mark.parametrize("syntax", [IMPLICIT, DEFLATED, RLE])
def test_metadata_is_made_from_every_coding_and_has_no_pixels(cold: Cold, syntax: str) -> None:
    taken_in(cold, sent(image(SpecificCharacterSet="ISO_IR 100", PatientName="Müller"), syntax))
    cold.seal()
    (model,) = metadata(cold, only_pack(cold))
    assert model["00100010"]["Value"] == [{"Alphabetic": "Müller"}]
    assert model["00080005"]["Value"] == ["ISO_IR 192"]
    assert "7FE00010" not in model


def test_bulk_of_a_document_is_left_out_of_metadata(cold: Cold) -> None:
    taken_in(cold, sent(letter(octets=bytes(3 * 1024 * 1024))))
    cold.seal()
    (model,) = metadata(cold, only_pack(cold))
    assert "00420011" not in model
    assert model["00080018"]["Value"] == ["1.2.3.3.1"]


def test_an_instance_that_json_cannot_hold_still_has_its_uids(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(_: object) -> dict[str, object]:
        raise ValueError("no JSON for this")

    monkeypatch.setattr("archive.intake.instance_metadata.from_part10", refusing)
    taken_in(cold, sent(image(), DEFLATED))
    cold.seal()
    (model,) = metadata(cold, only_pack(cold))
    assert sorted(model) == ["00080016", "00080018", "0020000D", "0020000E"]


def test_own_copies_are_confirmed_and_the_study_is_stable_when_all_is_sealed(cold: Cold) -> None:
    taken_in(cold, sent(image()))
    cold.clock.advance(QUIET_SECONDS + 1)
    taken_in(cold, sent(letter()))
    drain(cold.sealer())
    assert cold.counts().study_states == {"RECEIVING": 1}
    cold.seal()
    assert cold.counts().study_states == {"STABLE": 1}
    assert [row["state"] for row in cold.rows("copy")] == ["CONFIRMED", "CONFIRMED"]
    assert [(row["kind"], row["name"]) for row in cold.rows("place")] == [("node", "RXA")]


def test_a_tier_hears_of_new_packs_in_the_transaction_that_seals(cold: Cold) -> None:
    heard: list[PackKey] = []

    def on_sealed(_: Connection, keys: Sequence[PackKey]) -> None:
        heard.extend(keys)
        if len(heard) == 1:
            raise RuntimeError("the tier fails")

    taken_in(cold, sent(image()))
    cold.clock.advance(QUIET_SECONDS + 1)
    with pytest.raises(RuntimeError):
        cold.sealer(on_sealed=on_sealed).once()
    assert (cold.number("pack"), cold.number("instance")) == (0, 1)
    drain(cold.sealer(on_sealed=on_sealed))
    assert heard == [(1, 1, 1), (1, 1, 1)]
    assert cold.number("pack") == 1


def test_what_is_in_conflict_is_sealed_apart_and_withheld(cold: Cold) -> None:
    taken_in(cold, sent(image("1.2.3.1.1")), sent(image("1.2.3.1.2")))
    taken_in(cold, sent(image("1.2.3.1.1", pixels=8)))
    cold.seal()
    held = {row["withheld"]: row["instance_count"] for row in cold.rows("pack")}
    assert held == {False: 1, True: 2}


def test_a_long_series_is_divided_in_the_order_of_instance_numbers(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "INSTANCES_LIMIT", 4)
    taken_in(cold, *(sent(image(f"1.2.3.1.{number}")) for number in range(1, 11)))
    cold.seal()
    numbers = sorted(
        sorted(int(member.instance_number) for member in pack.manifest.members)
        for pack in packs(cold)
    )
    assert numbers == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_a_pack_is_bounded_in_octets_and_takes_a_longer_instance_alone(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_in(cold, *(sent(image(f"1.2.3.1.{number}")) for number in range(1, 4)))
    size = len(octets_of(sent(image("1.2.3.1.1"))))
    for limit, expected in ((2 * size, [2, 1]), (size // 2, [1, 1, 1])):
        monkeypatch.setattr(packing, "OCTETS_LIMIT", limit)
        with cold.index.reading() as conn:
            unsealed = read_unsealed(conn, 1, 1)
        assert [len(part) for part in divided(unsealed.open)] == expected


def test_an_instance_that_comes_while_its_series_is_sealed_is_sealed_next(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_in(cold, sent(image("1.2.3.1.1")))
    cold.clock.advance(QUIET_SECONDS + 1)

    def while_another_comes(*args: object, **more: object) -> object:
        monkeypatch.setattr(packing, "build_pack", build_pack)
        taken_in(cold, sent(image("1.2.3.1.2")))
        return build_pack(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(packing, "build_pack", while_another_comes)
    assert not cold.sealer().once()
    assert (cold.number("pack"), cold.number("instance")) == (0, 2)
    cold.seal()
    assert [row["instance_count"] for row in cold.rows("pack")] == [2]


def test_a_series_whose_octets_are_damaged_raises_an_alarm_and_the_others_go_on(cold: Cold) -> None:
    taken_in(cold, sent(image()))
    (path,) = (cold.directory / "spool").glob("*.ready")
    octets = bytearray(path.read_bytes())
    octets[-100] ^= 1
    path.write_bytes(octets)
    taken_in(cold, sent(image("1.2.4.1.1", StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1")))
    cold.seal()
    assert [row["code"] for row in cold.rows("data_quality")] == ["SERIES_DAMAGED"]
    assert (cold.number("pack"), cold.number("instance")) == (1, 1)


def test_a_series_whose_segment_is_lost_raises_one_alarm(cold: Cold) -> None:
    taken_in(cold, sent(image()))
    (name,) = cold.reader.ready()
    cold.reader.delete(name)
    sealer = cold.sealer()
    cold.seal(sealer)
    cold.seal(sealer)
    assert [row["code"] for row in cold.rows("data_quality")] == ["SERIES_DAMAGED"]


def test_a_report_is_sealed_with_what_another_tier_needs_to_list_it(cold: Cold) -> None:
    message = oru(
        JANE, Report(text="No change.", accession="A1", study_instance_uid="1.2.3")
    ).octets
    cold.message(message)
    cold.take_in(cold.intake(hl7=hl7_port()))
    cold.seal()
    pack = only_pack(cold)
    (item,), (member,) = metadata(cold, pack), pack.manifest.members
    told: Document = document_of(item, member)  # type: ignore[arg-type]
    (row,) = cold.rows("document")
    assert told.identity == PatientIdentity("100", Issuer("RXA", "RXA"))
    for name in ("document_uid", "sha256", "media_type", "charset", "title", "accession_number"):
        assert getattr(told, name) == row[name]
    assert (told.report_status, told.received_ms) == (row["report_status"], row["received_at"])
    assert (told.study_instance_uid, told.size) == ("1.2.3", len(message))
    assert stored(cold, pack, 0) == message


def test_a_document_of_nobody_comes_back_as_nobodys(cold: Cold) -> None:
    stranger = Person(mrn="", authority="RXA", name="Doe^Jane")
    cold.message(oru(stranger, Report(text="No change.", accession="A1")).octets)
    cold.take_in(cold.intake(hl7=hl7_port()))
    cold.seal()
    pack = only_pack(cold)
    (item,) = metadata(cold, pack)
    assert document_of(item, pack.manifest.members[0]).identity is None  # type: ignore[arg-type]


def test_rejected_instances_are_sealed_too(cold: Cold) -> None:
    taken_in(cold, sent(image()))
    taken_in(cold, note(image()))
    cold.seal()
    assert cold.counts().instances == 2
