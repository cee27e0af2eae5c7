"""The story that `imagestore demo` tells, step by step, and what must hold beside it."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.words.uids import KEY_OBJECT_SELECTION
from deploy.demo import who
from deploy.demo.chapters.centre import (
    levels_by_qido,
    levels_of,
    octets_by_wado,
    stored_path,
)
from deploy.demo.chapters.priors import check_object, study_uids
from deploy.demo.chapters.rejecting import doors_that_show
from deploy.demo.chapters.watching import page_text
from deploy.demo.evidence import eventually
from deploy.demo.images import generated_ct
from deploy.demo.modality import Modality
from deploy.demo.stage import Image, Stage, data_set_digest, read_data_set
from deploy.demo.steps import STEPS, Step, perform
from deploy.demo.web import Web
from deploy.region.options import CENTRE
from tests.journeys.stages import StoryRegion, processes_of, story_region

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryRegion]:
    with story_region(tmp_path_factory.mktemp("story")) as region:
        yield region


@pytest.fixture(scope="module")
def stage(region: StoryRegion) -> Stage:
    return region.stage


@pytest.fixture(scope="module")
def held() -> dict[str, float]:
    """Steps that held, with their seconds."""
    return {}


@pytest.mark.parametrize("step", STEPS, ids=[step.name for step in STEPS])
def test_the_story_holds(step: Step, stage: Stage, held: dict[str, float]) -> None:
    before = STEPS[: STEPS.index(step)]
    fell = [each.name for each in before if each.name not in held]
    if fell:
        pytest.skip(f"stands on {fell[0]}, which did not hold")
    told = perform(step, stage)
    assert told.evidence.lines
    held[step.name] = told.seconds


@pytest.fixture
def told(stage: Stage, held: dict[str, float]) -> Stage:
    """The region when the whole story has been told."""
    if len(held) < len(STEPS):
        pytest.skip("the story did not hold")
    return stage


def test_a_region_is_at_most_16_processes_of_at_most_200_mb(told: Stage) -> None:
    sizes = {
        f"{process.pid} {' '.join(process.cmdline()[3:])}": process.memory_info().rss // MEGABYTE
        for process in processes_of(told.directory)
    }
    assert 12 < len(sizes) <= 16
    assert {name: size for name, size in sizes.items() if size > 200} == {}


def test_no_log_line_tells_who_a_patient_is(told: Stage) -> None:
    people = (who.ARCHIBALD, who.PETER, who.NAMESAKE, who.ARCHIBALD_NEXT)
    secrets = {
        text
        for person in people
        for text in (
            person.mrn,
            person.nhs_number,
            person.birth_date,
            *person.name.replace("Mr", "").split("^"),
        )
        if text
    }
    logs = {path.name: path.read_text(errors="replace") for path in _logs(told)}
    assert len(logs) >= 12
    assert [
        (name, secret) for name, log in logs.items() for secret in secrets if secret in log
    ] == []


def test_nothing_failed_without_being_foreseen(told: Stage) -> None:
    unforeseen = {
        path.name: [line for line in path.read_text().splitlines() if _is_alarming(line)]
        for path in _logs(told)
    }
    assert {name: lines for name, lines in unforeseen.items() if lines} == {}


def _logs(stage: Stage) -> list[Path]:
    return sorted((stage.directory / "log").glob("*.log"))


def _is_alarming(line: str) -> bool:
    return "Traceback" in line or "unforeseen" in line or "level='error'" in line


def test_packs_open_with_any_tar_program(told: Stage) -> None:
    packs = sorted((told.directory / "central").rglob("*.tar"))
    assert len(packs) == 17
    for pack in packs:
        with tarfile.open(pack) as opened:
            names = opened.getnames()
            stream = opened.extractfile("manifest.json")
            assert stream is not None
            manifest = json.load(stream)
        assert names[:3] == ["manifest.json", "metadata.json.gz", "origin.json"]
        assert names[-1] == "layout.json"
        assert len(manifest["members"]) == len(names) - 4


def _left(stage: Stage) -> tuple[Image, ...]:
    """Return Archibald's images without the one that was rejected."""
    return tuple(image for image in stage.images.archibald if image != stage.told.rejected)


def test_priors_leave_by_wado_under_the_askers_numbers_too(told: Stage, tmp_path: Path) -> None:
    left = _left(told)
    by_uid = {image.sop_instance_uid: image for image in left}
    web = told.web(CENTRE, user=f"radiologist.{who.NEXT}")
    came = 0
    for study in {image.study_instance_uid for image in left}:
        for part10 in web.instances(f"/studies/{study}"):
            path = tmp_path / "part"
            path.write_bytes(part10[_data_set_offset(part10) :])
            data_set = read_data_set(path, "1.2.840.10008.1.2.1")
            check_object(by_uid[str(data_set.SOPInstanceUID)], data_set)
            came += 1
    assert came == len(left)


def _data_set_offset(part10: bytes) -> int:
    from archive.store.part10 import data_set_offset

    return data_set_offset(part10)


def test_the_centres_dicom_door_stamps_for_a_trust_that_has_a_number(told: Stage) -> None:
    left = {image.sop_instance_uid: image for image in _left(told)}
    got = told.workstation(who.NEXT, at=CENTRE).get(
        "STUDY",
        {"StudyInstanceUID": study_uids(left.values())},
        kinds=[image.wire_object.context for image in left.values()],
        directory=told.scratch / "from-centre",
    )
    assert (got.status, got.completed, got.failed) == (0, len(left), 0)
    for each in got.received:
        data_set = read_data_set(each.path, each.transfer_syntax)
        check_object(left[each.sop_instance_uid], data_set)


def test_the_home_trust_gets_its_own_as_they_were_stored(told: Stage) -> None:
    left = {image.sop_instance_uid: image for image in _left(told)}
    got = told.workstation(who.READING_ROOM, at=who.HOME).get(
        "STUDY",
        {"StudyInstanceUID": study_uids(left.values())},
        kinds=[image.wire_object.context for image in left.values()],
        directory=told.scratch / "at-home",
    )
    sent = {each.stored.sha256 for each in told.told.of(left.values())}
    assert {each.sha256 for each in got.received} == sent


def test_reports_come_before_their_images(told: Stage) -> None:
    arguments = (told.images.ct_study_uid, "--dir", str(told.directory), "--tier", who.NEXT)
    life = _imagestore("trace", *arguments).splitlines()
    kinds = [line.split("pack held")[1].split()[0] for line in life if " pack held " in line]
    assert kinds[:2] == ["documents", "series"]


def test_metadata_are_stamped_as_the_instances_are(told: Stage) -> None:
    web = told.web(CENTRE, user=f"radiologist.{who.NEXT}")
    answer = web.get(f"/dicom-web/studies/{told.images.ct_study_uid}/metadata")
    assert answer.status == 200
    models = answer.json
    assert len(models) == who.CT_SLICES - 1
    for model in models:
        assert model["00100020"]["Value"] == [who.ARCHIBALD_NEXT.mrn]
        assert model["00100021"]["Value"] == [who.NEXT]
        assert model["00100010"]["Value"][0]["Alphabetic"] == who.ARCHIBALD_NEXT.name
        assert model["00080050"]["Value"] != [who.CT_ACCESSION]
        assert "7FE00010" not in model


def test_a_stranger_sees_whose_study_it_is_and_gets_no_stored_octets(told: Stage) -> None:
    web = told.web(CENTRE, user=f"radiologist.{who.STRANGER}")
    (match,) = web.found("/studies", {"StudyInstanceUID": told.images.ct_study_uid})
    assert match["00100021"]["Value"] == [who.HOME]
    image = told.images.ct[0]
    path = (
        f"/dicom-web/studies/{image.study_instance_uid}/series/{image.series_instance_uid}"
        f"/instances/{image.sop_instance_uid}/stored"
    )
    assert web.get(path).status == 403


def test_a_strangers_own_number_space_finds_nobody(told: Stage) -> None:
    web = told.web(CENTRE, user=f"radiologist.{who.STRANGER}")
    assert web.found("/studies", {"PatientID": who.ARCHIBALD.mrn}) == []


def test_an_operator_who_names_no_issuer_cannot_ask_by_number(told: Stage) -> None:
    answer = told.web(CENTRE, user="operator").get(
        "/dicom-web/studies", {"PatientID": who.ARCHIBALD.mrn}
    )
    assert answer.status == 400
    assert answer.json["error"] == "NoAuthority"


def test_no_door_opens_without_a_token(told: Stage) -> None:
    for tier in told.tiers:
        web = Web(told.address(tier))
        statuses = {path: web.get(path).status for path in ("/dicom-web/studies", "/metrics", "/")}
        assert set(statuses.values()) == {401}
        assert web.get("/health/live").status == 200
        assert web.get("/health/ready").status == 200


def test_a_token_of_one_trust_opens_no_other_trusts_node(told: Stage) -> None:
    web = told.web(who.HOME, user=f"radiologist.{who.NEXT}")
    assert web.get("/dicom-web/studies").status == 401


def test_the_note_itself_is_shown_nowhere(told: Stage) -> None:
    for tier in (who.HOME, CENTRE):
        found = told.web(tier, user="operator").found(
            "/instances", {"SOPClassUID": KEY_OBJECT_SELECTION}
        )
        assert found == []


def test_what_is_left_of_the_rejected_series_leaves_whole(told: Stage) -> None:
    left = _left(told)
    for tier in (who.HOME, CENTRE, who.NEXT):
        octets_by_wado(told, tier, left, user="operator")


def test_a_trusts_page_shows_priors_under_its_own_number(told: Stage) -> None:
    text = page_text(told, who.NEXT, user=f"radiologist.{who.NEXT}")
    assert who.ARCHIBALD_NEXT.mrn in text
    assert f"from {who.HOME}" in text
    assert who.ARCHIBALD.mrn not in text


def test_operators_ask_on_the_command_line(told: Stage) -> None:
    status = _imagestore("status", "--dir", str(told.directory))
    assert "CENTRE" in status
    assert "no work waits" in status
    jobs = _imagestore("queue", "list", "--dir", str(told.directory), "--tier", who.HOME)
    assert "COMPLETED" in jobs
    assert "FAILED" not in jobs
    life = _imagestore("trace", told.images.ct_study_uid, "--dir", str(told.directory))
    assert "fetch order DONE" in life


def _imagestore(*arguments: str) -> str:
    ran = subprocess.run(
        (sys.executable, "-m", "deploy.command", *arguments),
        env=_bare_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _bare_environment() -> dict[str, str]:
    """Return an environment without HOME and without a language."""
    return {"PATH": os.environ["PATH"], "LANG": "C", "PYTHONPATH": str(ROOT)}


def test_the_centre_takes_an_object_at_its_own_door_from_a_trust_that_it_knows(
    told: Stage, tmp_path: Path
) -> None:
    (path,) = generated_ct(
        tmp_path,
        patient_id="C1",
        patient_name="Generated^Person",
        seed=3,
        accession="C1",
        study_date=who.CT_DATE,
        slices=1,
    )
    image = Image.of(path)
    place = told.region["central"]["dicom"]
    modality = Modality(who.STRANGER, place["host"], place["port"], place["ae_title"])
    (stored,) = modality.store([image.wire_object])
    assert stored.status == 0
    web = told.web(CENTRE, user=f"radiologist.{who.STRANGER}")
    keys = {"PatientID": "C1"}
    found = eventually(
        lambda: web.found("/instances", keys), bool, expected="the object", seconds=20
    )
    assert found[0]["00080018"]["Value"] == [image.sop_instance_uid]
    assert data_set_digest(web.get(stored_path(image)).body) == stored.sha256


def test_a_region_that_starts_again_has_everything_on_the_same_ports(
    told: Stage, region: StoryRegion
) -> None:
    left = _left(told)
    stage = region.restart()
    assert stage.region == told.region
    for tier in (who.HOME, CENTRE, who.NEXT):
        octets_by_wado(stage, tier, left, user="operator")
    assert told.told.rejected is not None
    assert doors_that_show(stage, who.NEXT, told.told.rejected) == ()
    by_number = {"PatientID": who.ARCHIBALD_NEXT.mrn}
    web = stage.web(CENTRE, user=f"radiologist.{who.NEXT}")
    assert levels_by_qido(web, by_number) == levels_of(left)
