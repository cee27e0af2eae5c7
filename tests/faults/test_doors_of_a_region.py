"""What the doors of a region answer to what does not belong there: echoes and strangers."""

from dataclasses import replace

import pytest

from deploy.demo.modality import AssociationRejected, Modality, WireObject
from deploy.demo.workstation import Workstation
from tests.faults.objects import digest, images, new_nhs_number
from tests.faults.regions import Region, assert_all_success, same_person_at_both
from tests.peers.processes import LOOPBACK, wait_until
from tests.peers.scp import Received

NOT_RECOGNISED = (1, 1, 3)
"""Rejected permanent, by the service user, calling AE title not recognised (PS3.8 Table 9-21)."""


def moved_to_pacs(region: Region, objects: list[WireObject], study: str) -> list[Received]:
    """Let RXB's PACS be sent a study by C-MOVE, and return what came there."""
    before = len(region.pacs.received)
    workstation = Workstation("WS_B", LOOPBACK, region.rxb.port("dicom"), called="RXB")
    moved = workstation.move("STUDY", {"StudyInstanceUID": study}, destination="PACS_B")
    assert (moved.status, moved.completed, moved.failed) == (0, len(objects), 0)
    return region.pacs.wait_for(before + len(objects))[before:]


def as_sent_back(received: Received) -> WireObject:
    return WireObject(
        sop_class_uid=received.sop_class_uid,
        sop_instance_uid=received.sop_instance_uid,
        transfer_syntax=received.transfer_syntax,
        data_set=received.data_set,
    )


def study_uid(region: Region, one: WireObject) -> str:
    (holding,) = region.centre.archive.holdings(one.sop_instance_uid)
    (row,) = region.centre.archive.rows("study", study_key=holding.study_key)
    return str(row["study_instance_uid"])


@pytest.fixture
def prior(region: Region) -> list[WireObject]:
    """A study of RXA that lies at RXB because the patient turned up there."""
    at_rxa, at_rxb = same_person_at_both(new_nhs_number())
    objects = images(2, mrn=at_rxa.mrn)
    region.register(region.rxa, "A28", at_rxa)
    region.store(objects)
    region.wait_replicated(objects)
    region.register(region.rxb, "A04", at_rxb)
    region.rxb.archive.wait_holds(objects)
    return objects


def test_what_was_delivered_and_comes_back_is_an_echo_and_not_the_trusts_own(
    region: Region, prior: list[WireObject]
) -> None:
    study = study_uid(region, prior[0])
    delivered = moved_to_pacs(region, prior, study)
    assert {one.sha256 for one in delivered}.isdisjoint(map(digest, prior)), "stamped for RXB"
    before = region.rxb.archive.answers().get("Echo", 0)

    back = [as_sent_back(one) for one in delivered]
    assert_all_success(region.rxb.modality("PACS_B").store(back))

    wait_until(
        lambda: region.rxb.archive.answers().get("Echo", 0) == before + len(prior),
        what="both counted as echoes",
    )
    for one in back:
        assert region.rxb.archive.stored_digests(one.sop_instance_uid) == [
            digest(original)
            for original in prior
            if original.sop_instance_uid == one.sop_instance_uid
        ]
        (sighting,) = region.rxb.archive.rows("sighting", sop_instance_uid=one.sop_instance_uid)
        assert (sighting["answer"], sighting["calling_ae"]) == ("Echo", "PACS_B")
        assert sighting["sha256"] == bytes.fromhex(digest(one))
    assert not region.rxb.archive.rows("job", kind="replicate", subject=study)
    custodians = region.centre.archive.rows("study", study_instance_uid=study)
    assert len(custodians) == 1


def test_an_echo_has_a_log_line_with_its_keys(region: Region, prior: list[WireObject]) -> None:
    delivered = moved_to_pacs(region, prior, study_uid(region, prior[0]))

    region.rxb.modality("PACS_B").store([as_sent_back(one) for one in delivered])

    def is_said() -> bool:
        lines = region.rxb["work"].said().splitlines()
        uid = prior[0].sop_instance_uid
        return any("intake.answer" in line and "'Echo'" in line and uid in line for line in lines)

    wait_until(is_said, what="a log line of the echo")


def test_other_pixels_under_a_delivered_uid_are_no_echo(
    region: Region, prior: list[WireObject]
) -> None:
    delivered = moved_to_pacs(region, prior, study_uid(region, prior[0]))
    one = as_sent_back(delivered[0])
    octets = one.data_set
    assert isinstance(octets, bytes)
    other = replace(one, data_set=octets[:-1] + bytes((octets[-1] ^ 1,)))
    before = region.rxb.archive.answers().get("Registered", 0)

    assert_all_success(region.rxb.modality("PACS_B").store([other]))

    wait_until(
        lambda: region.rxb.archive.answers().get("Registered", 0) == before + 1,
        what="registered as the trust's own",
    )
    assert set(region.rxb.archive.stored_digests(one.sop_instance_uid)) == {
        digest(other),
        *(digest(each) for each in prior if each.sop_instance_uid == one.sop_instance_uid),
    }


def refusal_of(stranger: Modality) -> tuple[int, int, int]:
    with pytest.raises(AssociationRejected) as refusal:
        stranger.echo()
    return refusal.value.result, refusal.value.source, refusal.value.reason


def test_an_unknown_calling_ae_is_refused_by_the_centre_and_an_operator_sees_who_it_was(
    region: Region,
) -> None:
    stranger = region.centre.modality("STRANGER")

    refusals = [refusal_of(stranger), refusal_of(stranger)]

    assert refusals == [NOT_RECOGNISED] * 2
    rows = region.centre.archive.rows("data_quality", code="UNKNOWN_CALLING_AE")
    assert len([row for row in rows if str(row["subject"]).startswith("STRANGER")]) == 1
    assert "calling='STRANGER'" in region.centre["serve"].said()


def test_a_known_calling_ae_is_let_in_by_the_centre(region: Region) -> None:
    assert region.centre.modality("RXA").echo() == 0


def test_nothing_of_a_refused_stranger_is_kept(region: Region) -> None:
    stranger, one = region.centre.modality("STRANGER"), images(1)

    with pytest.raises(AssociationRejected):
        stranger.store(one)

    assert not region.centre.archive.rows("held", calling_ae="STRANGER")
    assert not region.centre.archive.holdings(one[0].sop_instance_uid)
