"""From spool segments into the index: every record once, in order, whatever happens."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, update

from archive.errors import DatabaseUnavailable, StorageFailed
from archive.index import tables
from archive.index.directory import ensure_organisation, save_source
from archive.index.header import Arrived
from archive.index.register import Answer, Verdicts, register
from archive.intake import batch as batch_module
from archive.intake.intake import BATCH
from archive.store.blobs import held_name
from archive.words.identity import Issuer
from archive.words.nhs import Environment
from deploy.demo.pas import Person, Report, adt, oru
from deploy.demo.wire_object import WireObject
from local_node.hl7.apply import Hl7Intake
from local_node.outbox import SilentOutbox
from tests.intake.house import Cold, octets_of
from tests.intake.samples import image, report, sent

JANE = Person(mrn="100", authority="RXA", name="Doe^Jane")


def hl7_port() -> Hl7Intake:
    return Hl7Intake(Environment.TEST, SilentOutbox())


def test_what_arrived_is_found_in_the_index_under_its_custodian(cold: Cold) -> None:
    cold.store(sent(image()))
    cold.take_in()
    (study,) = cold.rows("study")
    (instance,) = cold.rows("instance")
    assert (study["mrn"], study["patient_name"], study["study_date"]) == (
        "100",
        "Doe^Jane",
        "20260301",
    )
    assert instance["size"] == len(octets_of(sent(image())))
    assert cold.counts().studies == {"RXA": 1}


def test_a_calling_ae_of_its_own_speaks_for_its_authority(cold: Cold) -> None:
    west = Issuer("RXA", "RXAW")
    with cold.index.writing() as conn:
        save_source(
            conn, node="RXA", kind="dicom", name="WEST_CT", organisation="RXA", authority=west
        )
    cold.store(sent(image()), calling_ae="WEST_CT")
    cold.store(sent(image("1.2.4.1.1", StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1")))
    cold.take_in()
    authorities = {row["id"]: row["namespace"] for row in cold.rows("assigning_authority")}
    held = {
        row["study_instance_uid"]: authorities[row["authority_id"]] for row in cold.rows("study")
    }
    assert held == {"1.2.3": "RXAW", "1.2.4": "RXA"}


def test_an_ae_that_nothing_is_known_of_is_held_and_nothing_is_lost(cold: Cold) -> None:
    with cold.index.writing() as conn:
        conn.exec_driver_sql("DELETE FROM source WHERE name = '*'")
    cold.store(sent(image()), calling_ae="STRANGER")
    cold.take_in()
    (held,) = cold.rows("held")
    assert (held["reason"], held["calling_ae"]) == ("UNKNOWN_CALLING_AE", "STRANGER")
    assert read(cold, held_name(held["sha256"])) == octets_of(sent(image()))  # type: ignore[arg-type]


def test_what_cannot_be_indexed_is_kept_listed_counted_and_told(cold: Cold) -> None:
    good = sent(image())
    torn = WireObject(good.sop_class_uid, "1.2.3.1.1", good.transfer_syntax, octets_of(good)[:-10])
    cold.store(torn)
    cold.take_in()
    (held,) = cold.rows("held")
    assert (held["reason"], held["command_sop_instance_uid"]) == ("TRUNCATED", "1.2.3.1.1")
    assert (held["size"], held["transfer_syntax"]) == (len(octets_of(torn)), good.transfer_syntax)
    assert read(cold, held_name(held["sha256"])) == octets_of(torn)  # type: ignore[arg-type]
    (told,) = cold.rows("data_quality")
    assert (told["code"], told["organisation_id"]) == ("TRUNCATED", organisation(cold, "RXA"))
    assert cold.answers() == {"Unreadable": 1}
    assert cold.reader.ready() == []


def test_the_same_unreadable_octets_again_are_counted_and_kept_once(cold: Cold) -> None:
    torn = WireObject("1.2.840.10008.5.1.4.1.1.7", "1.2.3", "1.2.840.10008.1.2.1", b"GIF89a")
    cold.store(torn)
    cold.store(torn)
    cold.take_in()
    assert cold.answers() == {"Unreadable": 2}
    assert (cold.number("held"), cold.number("data_quality")) == (1, 1)


def test_octets_held_from_another_sender_or_under_another_uid_are_a_row_of_their_own(
    cold: Cold,
) -> None:
    syntax = "1.2.840.10008.1.2.1"
    for uid, calling_ae in (("1.2.3", "CT1"), ("1.2.4", "CT1"), ("1.2.3", "CT2")):
        cold.store(WireObject("1.2", uid, syntax, b"GIF89a"), calling_ae=calling_ae)
    cold.store(WireObject("1.3", "1.2.3", syntax, b"GIF89a"), calling_ae="CT1")
    cold.take_in()
    rows = [
        (row["command_sop_class_uid"], row["command_sop_instance_uid"], row["calling_ae"])
        for row in cold.rows("held")
    ]
    assert sorted(map(str, rows)) == [
        "('1.2', '1.2.3', 'CT1')",
        "('1.2', '1.2.3', 'CT2')",
        "('1.2', '1.2.4', 'CT1')",
        "('1.3', '1.2.3', 'CT1')",
    ]
    assert cold.number("data_quality") == 4


def test_what_was_settled_and_comes_again_waits_for_a_person_again(cold: Cold) -> None:
    torn = WireObject("1.2", "1.2.3", "1.2.840.10008.1.2.1", b"GIF89a")
    cold.store(torn)
    cold.take_in()
    with cold.index.writing() as conn:
        conn.execute(update(tables.held).values(resolved_at=1))
        conn.execute(update(tables.data_quality).values(resolved_at=1))
    cold.store(torn)
    cold.take_in()
    assert cold.number("held") == 1
    assert (cold.counts().held, cold.counts().data_quality) == (1, 1)


def test_a_name_without_end_in_a_command_keeps_nothing_from_being_held(cold: Cold) -> None:
    endless = WireObject("1" * 1000, "2" * 1000, "1.2.840.10008.1.2.1", b"GIF89a")
    cold.store(endless, calling_ae="C" * 1000)
    cold.take_in()
    (held,) = cold.rows("held")
    assert len(str(held["command_sop_instance_uid"])) == 200


def test_no_staged_file_is_left_behind(cold: Cold) -> None:
    cold.store(sent(image()), WireObject("1.2", "1.2.3", "1.2.840.10008.1.2.1", b"GIF89a"))
    cold.take_in()
    cold.seal()
    assert list((cold.directory / "staging").iterdir()) == []


def test_a_uid_that_comes_twice_in_one_segment_gets_both_answers(cold: Cold) -> None:
    cold.store(sent(image()), sent(image()), sent(image(pixels=8)), sent(image(WindowCenter="1")))
    cold.take_in()
    assert cold.answers() == {"Registered": 1, "AlreadyHeld": 1, "Conflicting": 1, "Revised": 1}


def test_a_segment_longer_than_a_batch_is_taken_in_whole(cold: Cold) -> None:
    cold.store(*(sent(image(f"1.2.3.1.{number}")) for number in range(BATCH + 5)))
    cold.take_in()
    assert cold.answers() == {"Registered": BATCH + 5}


def test_segments_are_taken_in_oldest_first(cold: Cold) -> None:
    for pixels in (1, 2, 3):
        cold.store(sent(image(pixels=pixels)))
        cold.clock.advance(1)
    cold.take_in()
    serves = {row["sha256"]: row["serves"] for row in cold.rows("instance_state")}
    first = min(cold.rows("instance"), key=lambda row: str(row["segment"]))
    assert first["sha256"] not in serves
    assert list(serves.values()) == [False, False]


def test_a_segment_stays_while_something_loose_lies_in_it(cold: Cold) -> None:
    cold.store(sent(image()))
    cold.take_in()
    assert len(cold.reader.ready()) == 1
    cold.seal()
    assert cold.reader.ready() == []
    assert cold.number("segment_progress") == 0


def test_a_segment_of_what_is_held_already_goes_at_once(cold: Cold) -> None:
    cold.store(sent(image()))
    cold.take_in()
    cold.seal()
    cold.store(sent(image()))
    cold.take_in()
    assert cold.reader.ready() == []
    assert cold.answers() == {"Registered": 1, "AlreadyHeld": 1}


def test_an_open_segment_is_left_to_its_writer_and_an_orphan_is_recovered(cold: Cold) -> None:
    writer = cold.spool.writer()
    cold.append(writer, sent(image()))
    cold.take_in()
    assert cold.answers() == {}
    leave_as_a_dead_writer_would(cold)
    cold.take_in()
    assert cold.answers() == {"Registered": 1}


def leave_as_a_dead_writer_would(cold: Cold) -> None:
    """Put a copy of the open segment in its place: the copy is locked by nobody."""
    (path,) = (cold.directory / "spool").glob("*.open")
    octets = path.read_bytes()
    path.unlink()
    path.write_bytes(octets)


def test_a_segment_that_the_disk_has_harmed_gives_what_verifies_and_an_alarm(cold: Cold) -> None:
    cold.store(sent(image("1.2.3.1.1")), sent(image("1.2.3.1.2")), sent(image("1.2.3.1.3")))
    (path,) = (cold.directory / "spool").glob("*.ready")
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.write_bytes(octets)
    cold.take_in()
    cold.seal()
    cold.take_in()
    assert cold.answers() == {"Registered": 1}
    assert [row["code"] for row in cold.rows("data_quality")] == ["SEGMENT_DAMAGED"]
    assert len(cold.reader.ready()) == 1


def test_a_new_sighting_of_a_study_opens_it_again(cold: Cold) -> None:
    cold.store(sent(image("1.2.3.1.1")))
    cold.take_in()
    cold.seal()
    cold.store(sent(image("1.2.3.1.2")))
    cold.take_in()
    assert cold.counts().study_states == {"RECEIVING": 1}
    cold.seal()
    assert cold.counts().study_states == {"STABLE": 1}
    assert cold.counts().packs == 2


# --- what a tier adds -------------------------------------------------------------------------


def test_a_tier_hears_of_each_batch_and_of_states_in_the_same_transaction(cold: Cold) -> None:
    heard: list[tuple[str, Answer]] = []
    states: list[Connection] = []

    def on_registered(_: Connection, batch: Sequence[Arrived], answers: Sequence[Answer]) -> None:
        heard.extend(
            (one.header.SOPInstanceUID, answer) for one, answer in zip(batch, answers, strict=True)
        )

    intake = cold.intake(on_registered=on_registered, on_states=states.append)
    cold.store(sent(image()))
    cold.take_in(intake)
    assert (heard, len(states)) == ([("1.2.3.1.1", Answer.REGISTERED)], 0)
    cold.store(sent(image(pixels=8)))
    cold.take_in(intake)
    assert heard[1:] == [("1.2.3.1.1", Answer.CONFLICTING)]
    assert len(states) == 1


def test_messages_are_applied_and_their_reports_registered_where_they_lie(cold: Cold) -> None:
    told = Report(text="No change.", accession="A1", study_instance_uid="1.2.3")
    cold.message(adt("A28", JANE).octets)
    cold.message(oru(JANE, told).octets)
    cold.take_in(cold.intake(hl7=hl7_port()))
    (document,) = cold.rows("document")
    (instance,) = cold.rows("instance")
    assert (document["study_instance_uid"], document["mrn"]) == ("1.2.3", "100")
    assert instance["sop_instance_uid"] == document["document_uid"]
    assert cold.counts().patients == 1


def test_the_same_message_again_changes_nothing(cold: Cold) -> None:
    message = oru(JANE, Report(accession="A1", text="No change."), control_id="7").octets
    for _ in range(2):
        cold.message(message)
        cold.take_in(cold.intake(hl7=hl7_port()))
    assert (cold.number("document"), cold.number("journal")) == (1, 1)


def test_a_message_at_a_tier_that_takes_none_is_held(cold: Cold) -> None:
    message = adt("A28", JANE).octets
    cold.message(message)
    cold.take_in()
    (held,) = cold.rows("held")
    assert held["reason"] == "NOT_EXPECTED"
    assert read(cold, held_name(held["sha256"])) == message  # type: ignore[arg-type]


# --- faults -----------------------------------------------------------------------------------


def test_one_object_that_the_index_refuses_keeps_no_other_from_it(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(
        conn: Connection, batch: Sequence[Arrived], verdicts: Verdicts, *, at_ms: int
    ) -> list[Answer]:
        if any(one.header.SOPInstanceUID == "1.2.3.1.2" for one in batch):
            raise ValueError("no row can hold this")
        return register(conn, batch, verdicts, at_ms=at_ms)

    monkeypatch.setattr(batch_module, "register", refusing)
    cold.store(*(sent(image(f"1.2.3.1.{number}")) for number in (1, 2, 3)))
    cold.take_in()
    (held,) = cold.rows("held")
    assert held["reason"] == "INTAKE_FAILED"
    assert cold.answers() == {"Registered": 2, "Unreadable": 1}


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), StorageFailed("full")])
def test_what_is_only_unavailable_is_tried_again_and_never_held(
    cold: Cold, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away(*_: object, **__: object) -> object:
        raise error

    cold.store(sent(image()))
    with monkeypatch.context() as broken:
        broken.setattr(batch_module, "register", away)
        with pytest.raises(type(error)):
            cold.intake().once()
    cold.take_in()
    assert cold.answers() == {"Registered": 1}
    assert cold.number("held") == 0


def test_logs_tell_keys_and_never_the_person(cold: Cold, capfd: pytest.CaptureFixture[str]) -> None:
    cold.store(sent(image()), sent(image(PatientName="Secret^Name", PatientID="4711")))
    cold.store(WireObject("1.2", "1.2.3", "1.2.840.10008.1.2.1", octets_of(sent(report()))))
    cold.take_in()
    cold.seal()
    told = "".join(capfd.readouterr())
    for word in ("intake.batch", "intake.answer", "intake.held", "seal.pack"):
        assert word in told
    for word in ("Doe", "Secret", "4711"):
        assert word not in told


def read(cold: Cold, name: str) -> bytes:
    return b"".join(cold.blobs.read(name))


def organisation(cold: Cold, ods_code: str) -> int:
    with cold.index.writing() as conn:
        return ensure_organisation(conn, ods_code)
