"""A line that flips bits, breaks and flaps: nothing wrong is registered, everything arrives."""

import random
from collections.abc import Iterator

import pytest

from deploy.demo.modality import WireObject
from tests.faults.line import Cuts, Flips, Way
from tests.faults.objects import images, new_nhs_number
from tests.faults.regions import Region, same_person_at_both
from tests.faults.tiers import Tier
from tests.peers.processes import wait_until

PUT = b"PUT /tiers/v1/packs/"
PACK_COMES = b"application/x-tar"


@pytest.fixture(autouse=True)
def _mended(region: Region) -> Iterator[None]:
    yield
    region.mend()


def jobs(tier: Tier, subject: str, kind: str) -> list[dict[str, object]]:
    return tier.archive.rows("job", subject=subject, kind=kind)


def wait_completed(tier: Tier, subject: str, kind: str) -> None:
    """Wait until the one job of its kind about a subject is done."""
    wait_until(
        lambda: [row["state"] for row in jobs(tier, subject, kind)] == ["COMPLETED"],
        what=f"the one {kind} of {subject} is completed",
    )


def history(region: Region, job: dict[str, object]) -> str:
    events = region.rxa.archive.rows("job_event", job_id=job["id"])
    return "\n".join(f"{event['state']} {event['evidence']}" for event in events)


@pytest.mark.parametrize("behind", [1_500, 9_000, 20_000])
def test_a_pack_with_a_flipped_bit_on_its_way_up_is_never_registered_and_sent_again(
    region: Region, behind: int
) -> None:
    flips = Flips(Way.UP, PUT, behind=behind, left=1)
    region.line_a.fault = flips
    region.line_a.cut_all()
    objects = images(3)

    region.store(objects)

    region.wait_replicated(objects)
    assert flips.done == 1
    wait_completed(region.rxa, study_of(region, objects[0]), "replicate")
    (job,) = jobs(region.rxa, study_of(region, objects[0]), "replicate")
    told = history(region, job)
    assert "DigestMismatch" in told or "PackMalformed" in told, told


def study_of(region: Region, one: WireObject) -> str:
    (holding,) = region.rxa.archive.holdings(one.sop_instance_uid)
    (row,) = region.rxa.archive.rows("study", study_key=holding.study_key)
    return str(row["study_instance_uid"])


def test_while_every_copy_is_spoilt_the_centre_holds_nothing_and_a_person_is_shown_the_job(
    region: Region,
) -> None:
    region.line_a.fault = Flips(Way.UP, PUT, behind=9_000, left=1_000)
    region.line_a.cut_all()
    objects = images(2)
    region.store(objects)

    def has_failed() -> bool:
        found = region.rxa.archive.rows("job", kind="replicate", state="FAILED")
        return any(region.rxa.archive.holds(one) for one in objects) and bool(found)

    wait_until(has_failed, what="a job that is given up", seconds=30)
    (job,) = jobs(region.rxa, study_of(region, objects[0]), "replicate")
    assert job["state"] == "FAILED"
    assert "DigestMismatch" in str(job["cause"])
    assert not any(region.centre.archive.holds(one) for one in objects)
    assert not list((region.centre.archive.directory / "staging").rglob("*.part"))

    region.mend()
    region.retry(job["id"])

    region.wait_replicated(objects)


def test_a_pack_with_a_flipped_bit_on_its_way_back_is_fetched_anew(region: Region) -> None:
    at_rxa, at_rxb = same_person_at_both(new_nhs_number())
    objects = images(3, mrn=at_rxa.mrn)
    region.register(region.rxa, "A28", at_rxa)
    region.store(objects)
    region.wait_replicated(objects)
    flips = Flips(Way.DOWN, PACK_COMES, behind=9_000, left=2)
    region.line_b.fault = flips
    region.line_b.cut_all()

    region.register(region.rxb, "A04", at_rxb)

    region.rxb.archive.wait_holds(objects)
    assert flips.done == 2
    wait_completed(region.rxb, study_of(region, objects[0]), "fetch")


def test_over_a_flapping_line_everything_is_replicated_and_fetched_once(region: Region) -> None:
    at_rxa, at_rxb = same_person_at_both(new_nhs_number())
    region.register(region.rxa, "A28", at_rxa)
    chance = random.Random(20261124)
    up, down = Cuts(chance, most=12_000), Cuts(chance, most=12_000)
    region.line_a.fault, region.line_b.fault = up, down
    region.line_a.cut_all()
    region.line_b.cut_all()
    objects = [one for _ in range(4) for one in images(4, mrn=at_rxa.mrn)]

    region.store(objects)
    region.register(region.rxb, "A04", at_rxb)
    wait_until(lambda: up.done >= 5, what="five cuts on RXA's line", seconds=30)
    region.line_a.mend()
    region.wait_replicated(objects)
    wait_until(lambda: down.done >= 5, what="five cuts on RXB's line", seconds=30)
    region.line_b.mend()

    region.rxb.archive.wait_holds(objects, seconds=40)
    for one in objects:
        for tier in (region.rxa, region.centre, region.rxb):
            assert len(tier.archive.holdings(one.sop_instance_uid)) == 1
