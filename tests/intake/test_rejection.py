"""A rejection note hides what it names, in the transaction that registers it."""

import pytest
from pydicom.uid import UID

from archive.index.directory import save_source
from archive.index.overlay import ANY_OCTETS
from archive.intake import batch as batch_module
from archive.intake.rejection import NOTE, TITLES
from archive.words.identity import Issuer
from deploy.demo.images import part10, rejection_note
from deploy.demo.wire_object import WireObject
from tests.intake.house import Cold
from tests.intake.samples import image, note, sent


def states(cold: Cold) -> dict[str, str]:
    rows = cold.rows("instance_state")
    assert all(row["sha256"] == ANY_OCTETS and row["state"] == "REJECTED" for row in rows)
    return {str(row["sop_instance_uid"]): str(row["code"]) for row in rows}


def taken_in(cold: Cold, *objects: WireObject, calling_ae: str = "CT1") -> None:
    cold.store(*objects, calling_ae=calling_ae)
    cold.take_in()


@pytest.mark.parametrize("code", sorted(TITLES))
def test_each_title_rejects_what_the_note_names_and_hides_the_note(cold: Cold, code: str) -> None:
    first, second, third = (image(f"1.2.3.1.{number}") for number in (1, 2, 3))
    taken_in(cold, sent(first), sent(second), sent(third))
    the_note = note(first, second, code=code)
    taken_in(cold, the_note)
    assert states(cold) == {
        "1.2.3.1.1": code,
        "1.2.3.1.2": code,
        the_note.sop_instance_uid: NOTE,
    }
    assert cold.counts().instances == 4


def test_a_note_may_come_before_what_it_rejects(cold: Cold) -> None:
    the_note = note(image())
    taken_in(cold, the_note)
    taken_in(cold, sent(image()))
    assert states(cold)["1.2.3.1.1"] == "113001"
    assert cold.answers() == {"Registered": 2}


def test_references_of_the_evidence_and_of_the_content_both_count(cold: Cold) -> None:
    whole = rejection_note([image("1.2.3.1.1"), image("1.2.3.1.2")])
    evidence = whole.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    del evidence.ReferencedSOPSequence[0]
    del whole.ContentSequence[1]
    taken_in(cold, WireObject.from_part10(part10(whole)))
    assert {"1.2.3.1.1", "1.2.3.1.2"} < states(cold).keys()


def test_another_title_and_another_scheme_reject_nothing(cold: Cold) -> None:
    of_interest, of_another = rejection_note([image()]), rejection_note([image()])
    of_interest.ConceptNameCodeSequence[0].CodeValue = "113000"
    of_another.SOPInstanceUID = UID("1.2.9")
    of_another.file_meta.MediaStorageSOPInstanceUID = UID("1.2.9")
    of_another.ConceptNameCodeSequence[0].CodingSchemeDesignator = "99LOCAL"
    for one in (of_interest, of_another):
        taken_in(cold, WireObject.from_part10(part10(one)))
    assert states(cold) == {}


def test_a_note_rejects_nothing_of_another_custodian(cold: Cold) -> None:
    rxb = Issuer("RXB", "RXB")
    with cold.index.writing() as conn:
        save_source(
            conn, node="RXA", kind="dicom", name="FROM_RXB", organisation="RXB", authority=rxb
        )
    taken_in(cold, sent(image()))
    taken_in(cold, note(image()), calling_ae="FROM_RXB")
    custodians = {row["custodian_id"] for row in cold.rows("instance_state")}
    assert custodians == {
        row["id"] for row in cold.rows("organisation") if row["ods_code"] == "RXB"
    }


def test_a_note_that_comes_again_changes_nothing(cold: Cold) -> None:
    the_note = note(image())
    for _ in range(2):
        taken_in(cold, the_note)
    assert max(int(str(row["seq"])) for row in cold.rows("instance_state")) == 2


def test_a_second_note_about_the_same_instance_is_no_obstacle(cold: Cold) -> None:
    taken_in(cold, note(image()))
    taken_in(cold, note(image(), code="113037"))
    assert states(cold)["1.2.3.1.1"] == "113037"


def test_a_note_is_registered_with_its_states_or_not_at_all(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("the process dies")

    cold.store(note(image()))
    with monkeypatch.context() as broken:
        broken.setattr(batch_module, "reject", failing)
        with pytest.raises(RuntimeError):
            cold.intake().once()
    assert (cold.number("instance"), cold.number("instance_state")) == (0, 0)
    cold.take_in()
    assert (cold.number("instance"), cold.number("instance_state")) == (1, 2)
