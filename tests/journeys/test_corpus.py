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

from deploy.demo.chapters.rejecting import digests_in
from deploy.demo.modality import Modality, Stored
from deploy.demo.stage import data_set_digest
from deploy.demo.web import Web
from deploy.region.launch import tied_region
from deploy.region.options import RegionOptions
from tests.peers.corpus import CorpusFile, corpus_files, needs_corpus
from tests.peers.processes import wait_until

pytestmark = [needs_corpus, pytest.mark.timeout(400)]

TRUST = "RXA"
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
        wait_until(lambda: _is_quiet(node.metrics(), len(files)), what="all work done", seconds=240)
        yield Journey(files, tuple(outcomes), directory, node, centre, node.metrics())


def _is_quiet(metrics: Mapping[str, int], sent: int) -> bool:
    answered = sum(number for name, number in metrics.items() if name.startswith(ANSWERED))
    waiting = sum(
        metrics.get(f'jobs{{state="{state}"}}', 0) for state in ("SCHEDULED", "IN_PROGRESS")
    )
    return answered >= sent and not metrics["loose_instances"] and not waiting


def test_every_file_is_kept_and_answered(journey: Journey) -> None:
    answers = Counter(f"{outcome.status:04X}H" for outcome in journey.outcomes if outcome.sha256)
    assert len(journey.outcomes) == 945
    assert sum(answers.values()) == 945
    assert answers["0000H"] == 945 - answers["0117H"]
    assert sum(journey.answers().values()) == 945


def test_every_octet_comes_back_from_the_centre_or_is_kept_aside_at_the_node(
    journey: Journey, capsys: pytest.CaptureFixture[str]
) -> None:
    at_node = _digests_at_node(journey.directory)
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    lost = []
    for file, outcome in zip(journey.files, journey.outcomes, strict=True):
        place = _place(journey, file, outcome, at_node)
        rows[file.name.partition("/")[0]][place] += 1
        if place == "LOST":
            lost.append(file.name)
    with capsys.disabled():
        print(_table(rows, journey))
    assert lost == []
    everything = sum(rows.values(), Counter())
    held = {name for name in ("held",) if everything[name]}
    assert everything["held"] == journey.metrics["held"], held


def _place(journey: Journey, file: CorpusFile, outcome: Stored, at_node: Mapping[str, str]) -> str:
    """Return where the octets that were sent come back from."""
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
    places = ("centre", "node only", "held", "LOST")
    lines = [f"\n{'folder':<12}" + "".join(f"{place:>11}" for place in places)]
    for folder, counted in sorted(rows.items()):
        lines.append(f"{folder:<12}" + "".join(f"{counted[place]:>11}" for place in places))
    answers = ", ".join(f"{name} {number}" for name, number in sorted(journey.answers().items()))
    return "\n".join([*lines, f"register() answered: {answers}"])


def test_what_contradicts_what_is_held_does_not_leave_the_trust(journey: Journey) -> None:
    conflicting = journey.answers().get("Conflicting", 0)
    assert conflicting > 0
    assert journey.metrics["quarantined"] > 0


def test_the_malformed_are_counted_as_held_or_registered_as_they_are(journey: Journey) -> None:
    assert journey.metrics["held"] == journey.answers().get("Unreadable", 0)
    assert journey.metrics["held"] > 0
