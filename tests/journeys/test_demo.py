"""`imagestore demo`: what it promises to whoever starts it, beside the story itself."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from deploy.demo import story
from deploy.demo.display import Display
from deploy.demo.evidence import Evidence, StepFailed, check_equal, evidence
from deploy.demo.stage import Stage
from deploy.demo.steps import STEPS, Step

ROOT = Path(__file__).resolve().parents[2]


def _demo(temporary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo without HOME, without a language, without a terminal."""
    return subprocess.run(
        (sys.executable, "-m", "deploy.command", "demo", *arguments),
        env={
            "PATH": os.environ["PATH"],
            "LANG": "C",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(temporary),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=115,
        check=False,
    )


def test_once_tells_every_step_ends_with_0_and_leaves_nothing(tmp_path: Path) -> None:
    told = _demo(tmp_path, "--once")
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"{len(STEPS)} of {len(STEPS)} steps held" in told.stdout
    assert "/sign-in?token=" in told.stdout
    assert told.stderr == ""
    assert "\x1b" not in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "something").write_text("of value")
    told = _demo(tmp_path, "--once", "--dir", str(kept))
    assert told.returncode != 0
    assert "begins with an empty directory" in told.stderr
    assert (kept / "something").read_text() == "of value"
    assert list(tmp_path.iterdir()) == [kept]


def _holds(_stage: Stage) -> Evidence:
    return evidence("two and two make four")


def _fails(_stage: Stage) -> Evidence:
    raise StepFailed(expected="four", seen="five", hint="count again")


def _misbehaves(_stage: Stage) -> Evidence:
    check_equal({"a": 1}["b"], 1, "something")
    raise AssertionError


class _EmptyStage:
    directory = Path("/nowhere")


def _tell(monkeypatch: pytest.MonkeyPatch, *runs: Any) -> int:
    steps = tuple(Step(f"step{n}", f"Step {n}", run) for n, run in enumerate(runs, start=1))
    monkeypatch.setattr(story, "STEPS", steps)
    return story._told(Display(), cast("Stage", _EmptyStage()))


def test_steps_that_hold_are_told_with_their_evidence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _tell(monkeypatch, _holds, _holds) == 0
    said = capsys.readouterr().out
    assert " 1/2 Step 1 ..." in said
    assert "      two and two make four" in said
    assert "2 of 2 steps held" in said


def test_a_step_that_fails_is_told_with_its_hint_and_is_the_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _tell(monkeypatch, _holds, _fails, _holds) != 0
    said = capsys.readouterr().out
    for words in ("FAILED", "expected  four", "seen      five", "hint      count again"):
        assert words in said
    assert "3/3" not in said
    assert "1 of 3 steps held" in said


def test_a_region_that_answers_nonsense_fails_the_step_and_not_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _tell(monkeypatch, _misbehaves) != 0
    said = capsys.readouterr().out
    assert "seen      KeyError" in said
    assert "/nowhere/log" in said
