"""Every shared DICOM file goes from a modality through a node to the centre, and back as it was."""

import hashlib
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest

from archive.words.statuses import StoreStatus
from deploy.demo.chapters.rejecting import digests_in
from deploy.demo.modality import Modality, Stored
from deploy.demo.stage import data_set_digest
from deploy.demo.web import Web
from deploy.region.launch import tied_region
from deploy.region.options import RegionOptions
from tests.peers.corpus import CorpusFile, corpus_files, needs_corpus
from tests.peers.processes import wait_until

pytestmark = [needs_corpus, pytest.mark.timeout(480)]

TRUST = "RXA"
KEPT = frozenset({StoreStatus.SUCCESS, StoreStatus.INVALID_SOP_INSTANCE})
"""What a node answers when the octets are on its disk."""

UNFINISHED = ('jobs{state="SCHEDULED"}', 'jobs{state="IN_PROGRESS"}')
ANSWERED = 'register_answers{answer="'


@dataclass(frozen=True, slots=True)
class Journey:
    """What was sent, and where it stands when all is quiet."""

    files: tuple[CorpusFile, ...]
    outcomes: tuple[Stored, ...]
    """In the order of the files."""

    directory: Path
    node: Web
    centre: Web
    metrics: Mapping[str, int]
    """Of the node."""

    def answers(self) -> dict[str, int]:
        """Return how often register() gave each answer."""
        return {
            name.removeprefix(ANSWERED).removesuffix('"}'): number
            for name, number in self.metrics.items()
            if name.startswith(ANSWERED)
        }


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    files = tuple(corpus_files())
    directory = tmp_path_factory.mktemp("corpus") / "region"
    with tied_region(RegionOptions(directory=directory, trusts=(TRUST,))) as told:
        region: dict[str, Any] = dict(told)
        node = Web(region["trusts"][TRUST]["http"], region["tokens"]["operator"])
        centre = Web(region["central"]["http"], region["tokens"]["operator"])
        dicom = region["trusts"][TRUST]["dicom"]
        modality = Modality("CORPUS", dicom["host"], dicom["port"], dicom["ae_title"])
        outcomes = modality.store([file.on_the_wire().wire_object for file in files])
        kept = sum(outcome.status in KEPT for outcome in outcomes)
        wait_until(lambda: _is_quiet(node.metrics(), kept), what="all work done", seconds=330)
        yield Journey(files, tuple(outcomes), directory, node, centre, node.metrics())


def _is_quiet(metrics: Mapping[str, int], sent: int) -> bool:
    answered = sum(number for name, number in metrics.items() if name.startswith(ANSWERED))
    waiting = sum(
        metrics.get(f'jobs{{state="{state}"}}', 0) for state in ("SCHEDULED", "IN_PROGRESS")
    )
    return answered >= sent and not metrics["loose_instances"] and not waiting


def test_every_object_is_on_the_disk_when_it_is_answered(journey: Journey) -> None:
    answers = Counter(outcome.status for outcome in journey.outcomes)
    assert sum(answers.values()) == 945
    assert answers[StoreStatus.SUCCESS] >= 940
    refused = [each for each in journey.outcomes if each.status not in KEPT]
    assert [each.octets for each in refused] == [0]
    assert refused[0].status == StoreStatus.CANNOT_UNDERSTAND


def test_register_answers_every_object(journey: Journey) -> None:
    assert sum(journey.answers().values()) == 944


def test_every_octet_comes_back_from_the_centre_or_is_kept_at_the_node(
    journey: Journey, capsys: pytest.CaptureFixture[str]
) -> None:
    at_node = _digests_at_node(journey.directory)
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    lost, stayed = [], set()
    for file, outcome in zip(journey.files, journey.outcomes, strict=True):
        place = _place(journey, file, outcome, at_node)
        rows[file.name.partition("/")[0]][place] += 1
        if place == "LOST":
            lost.append(file.name)
        if place == "node only":
            stayed.add(outcome.sop_instance_uid)
    with capsys.disabled():
        print(_table(rows, journey))
    assert lost == []
    everywhere = sum(rows.values(), Counter[str]())
    assert everywhere["held"] == journey.answers()["Unreadable"]
    assert everywhere["no octets"] == 1
    sent = Counter(outcome.sop_instance_uid for outcome in journey.outcomes)
    assert [uid for uid in stayed if sent[uid] == 1] == []


def _place(journey: Journey, file: CorpusFile, outcome: Stored, at_node: Mapping[str, str]) -> str:
    """Return where the octets that were sent come back from."""
    if not outcome.octets:
        return "no octets"
    if _from_centre(journey.centre, file, outcome) == outcome.sha256:
        return "centre"
    return at_node.get(outcome.sha256, "LOST")


def _from_centre(centre: Web, file: CorpusFile, outcome: Stored) -> str:
    study, series = _study_and_series(file.path)
    if not study or not series:
        return ""
    path = f"/studies/{study}/series/{series}/instances/{outcome.sop_instance_uid}/stored"
    answer = centre.get(f"/dicom-web{path}", {"sha256": outcome.sha256})
    return data_set_digest(answer.body) if answer.status == 200 else ""


def _study_and_series(path: Path) -> tuple[str, str]:
    try:
        with warnings.catch_warnings(action="ignore"):
            tags = ["StudyInstanceUID", "SeriesInstanceUID"]
            header = pydicom.dcmread(path, force=True, specific_tags=tags)
            return str(header.get(tags[0], "")), str(header.get(tags[1], ""))
    except Exception:  # noqa: BLE001 - whatever a malformed file does to pydicom
        return "", ""


def _digests_at_node(directory: Path) -> dict[str, str]:
    """Return where the node itself keeps each Data Set: in a pack, or held for a person."""
    node = directory / "trusts" / TRUST
    held = {_digest(path): "held" for path in node.rglob("held/**/*") if path.is_file()}
    packed = {digest: "node only" for pack in node.rglob("*.tar") for digest in digests_in(pack)}
    return {**held, **packed}


def _digest(path: Path) -> str:
    try:
        return data_set_digest(path.read_bytes())
    except ValueError:
        return hashlib.sha256(path.read_bytes()).hexdigest()


def _table(rows: Mapping[str, Counter[str]], journey: Journey) -> str:
    places = ("centre", "node only", "held", "no octets", "LOST")
    lines = [f"\n{'folder':<12}" + "".join(f"{place:>11}" for place in places)]
    for folder, counted in sorted(rows.items()):
        lines.append(f"{folder:<12}" + "".join(f"{counted[place]:>11}" for place in places))
    answers = ", ".join(f"{name} {number}" for name, number in sorted(journey.answers().items()))
    return "\n".join([*lines, f"register() answered: {answers}"])


def test_what_contradicts_what_is_held_does_not_leave_the_trust(journey: Journey) -> None:
    conflicting = journey.answers().get("Conflicting", 0)
    assert conflicting > 0
    assert journey.metrics["quarantined"] > 0


def test_what_cannot_be_read_waits_for_a_person(journey: Journey) -> None:
    unreadable = journey.answers()["Unreadable"]
    assert 0 < journey.metrics["held"] <= unreadable
    assert unreadable - journey.metrics["held"] <= 1
