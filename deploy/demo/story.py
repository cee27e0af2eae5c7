"""`imagestore demo`: the whole region on this machine, and a story told with real images."""

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from archive.errors import ArchiveError, ConfigurationInvalid
from deploy.demo import who
from deploy.demo.display import Display
from deploy.demo.evidence import StepFailed
from deploy.demo.recorder import Recorder
from deploy.demo.stage import Images, Stage, make_images, region_options
from deploy.demo.steps import STEPS, Held, perform
from deploy.region.launch import tied_region
from deploy.region.options import CENTRE

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_INTERRUPTED = 130
"""What a shell calls the end by Ctrl-C."""


class Interrupted(Exception):
    """The story was told to end."""


@dataclass(frozen=True, slots=True)
class Place:
    """Directories of one run."""

    region: Path
    scratch: Path
    """Generated images and what workstations received."""


def show(*, once: bool = False, directory: str = "") -> int:
    """Tell the story and return the exit status: 0 only if every step held.

    With ``once`` it ends by itself; else the region stays up until Ctrl-C. The region lives in
    ``directory``, which must be empty, or in a fresh private one that is removed at the end; where
    a step failed, ``once`` leaves that one for a person to read.

    Raises:
        ConfigurationInvalid: the directory holds something already.
    """
    display = Display()
    root = Path(tempfile.mkdtemp(prefix="imagestore-demo-"))
    place = Place(region=_region_directory(directory, root), scratch=root / "scratch")
    status = EXIT_INTERRUPTED
    try:
        with _ended_by_signals():
            status = _show(display, place, once=once)
    except Interrupted:
        display.say("Ended before the story was told.")
    except (ArchiveError, OSError) as error:
        status = _say_why_not(display, error)
    finally:
        _tidy(display, root, place, keep=once and status not in (os.EX_OK, EXIT_INTERRUPTED))
    return status


def _region_directory(directory: str, root: Path) -> Path:
    if not directory:
        return root / "region"
    region = Path(directory).absolute()
    if region.is_dir() and any(region.iterdir()):
        root.rmdir()
        raise ConfigurationInvalid("The story begins with an empty directory.", path=str(region))
    return region


def _show(display: Display, place: Place, *, once: bool) -> int:
    began = time.monotonic()
    display.title("A regional image store: three trusts and one central store, on this machine")
    display.say(f"Everything lies in {place.region}")
    with Recorder(who.WORKSTATION, place.scratch / "workstation") as recorder:
        images = _made(display, place)
        with _region_up(display, place, images, recorder) as stage:
            display.say(f"The region is up, {time.monotonic() - began:.1f} s after the start.\n")
            status = _told(display, stage)
            _say_addresses(display, stage)
            if not once:
                _stay_up(display)
            display.say("Taking the region down.")
    display.say(f"The region is down. {time.monotonic() - began:.1f} s in all.")
    return status


def _made(display: Display, place: Place) -> Images:
    with display.doing("Finding real images, generating a CT series that is labelled as generated"):
        return make_images(place.scratch / "generated")


@contextlib.contextmanager
def _region_up(
    display: Display, place: Place, images: Images, recorder: Recorder
) -> Iterator[Stage]:
    options = region_options(place.region, recorder)
    with contextlib.ExitStack() as stack:
        with display.doing("Starting the region: broker, central store, a node for each trust"):
            region = stack.enter_context(tied_region(options))
        yield Stage(
            region=region,
            directory=place.region,
            scratch=place.scratch,
            images=images,
            recorder=recorder,
        )


def _told(display: Display, stage: Stage) -> int:
    """Tell every step, or all up to the first that fails; return the exit status."""
    told: list[Held] = []
    for number, step in enumerate(STEPS, start=1):
        text = f"{number:>2}/{len(STEPS)} {step.title}"
        try:
            with display.doing(text):
                held = perform(step, stage)
        except StepFailed as failure:
            display.failed(text, failure)
            break
        display.held(text, held)
        told.append(held)
    display.summary(told, steps=len(STEPS))
    return os.EX_OK if len(told) == len(STEPS) else os.EX_SOFTWARE


def _say_addresses(display: Display, stage: Stage) -> None:
    """Say where the pages are; a node's shows patients to the trust's users alone."""
    tokens = stage.region["tokens"]
    display.title("\nPages. Each address signs in with a token of this region:")
    for tier in stage.tiers:
        user = f"radiologist.{tier}" if f"radiologist.{tier}" in tokens else "operator"
        display.say(f"  {tier:<7} as {user:<16} {stage.address(tier)}/sign-in?token={tokens[user]}")
    display.title("Doors:")
    for tier, place in {CENTRE: stage.region["central"], **stage.region["trusts"]}.items():
        dicom, hl7 = place["dicom"], place.get("mllp")
        said = f"  {tier:<7} DICOM {dicom['ae_title']} at {dicom['host']}:{dicom['port']}"
        display.say(said + (f", HL7 at {hl7['host']}:{hl7['port']}" if hl7 else ""))
    display.say(f"All tokens, the operator's among them: {stage.directory / 'region.json'}\n")


def _stay_up(display: Display) -> None:
    display.title("The region stays up. Ctrl-C ends it.")
    with contextlib.suppress(Interrupted):
        threading.Event().wait()


def _say_why_not(display: Display, error: ArchiveError | OSError) -> int:
    display.say(f"The region could not be shown: {error}")
    if isinstance(error, ArchiveError) and error.hint:
        display.say(f"hint: {error.hint}")
    return os.EX_UNAVAILABLE


def _tidy(display: Display, root: Path, place: Place, *, keep: bool) -> None:
    """Remove what was made for this run alone; a directory that was asked for always stays."""
    asked_for = not place.region.is_relative_to(root)
    shutil.rmtree(root if asked_for or not keep else place.scratch, ignore_errors=True)
    if keep:
        display.say(f"Logs and all else are kept for you in {place.region}")


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C, a lost terminal or SIGTERM end the block in order."""
    before = {number: signal.signal(number, _interrupt) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted
