"""Regions for journeys: real processes, real sockets, a real broker, ended with the test."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from deploy.demo import who
from deploy.demo.recorder import Recorder
from deploy.demo.stage import Stage, make_images, region_options
from deploy.demo.steps import STEPS, perform
from deploy.region.launch import tied_region
from deploy.region.options import CENTRE, Peer
from tests.peers.processes import Endpoint


class StoryRegion:
    """The region of the story, as `imagestore demo` starts it, which can be started again."""

    def __init__(self, directory: Path, recorder: Recorder, peers: Sequence[Peer]) -> None:
        options = region_options(directory / "region", recorder)
        self._options = replace(options, peers=(*options.peers, *peers))
        self._up = contextlib.ExitStack()
        self.stage = Stage(
            region=self._started(),
            directory=self._options.directory,
            scratch=directory / "scratch",
            images=make_images(directory / "scratch" / "generated"),
            recorder=recorder,
        )

    def restart(self) -> Stage:
        """End the region in order and start it on the same directory."""
        self.down()
        self.stage = replace(self.stage, region=self._started())
        return self.stage

    def down(self) -> None:
        """End the region in order."""
        self._up.close()

    def _started(self) -> Mapping[str, object]:
        return self._up.enter_context(tied_region(self._options))


@contextlib.contextmanager
def story_region(directory: Path, *, peers: Sequence[Peer] = ()) -> Iterator[StoryRegion]:
    """Give the region of the story, with more C-MOVE destinations, while the block lasts."""
    with Recorder(who.WORKSTATION, directory / "scratch" / "workstation") as recorder:
        region = StoryRegion(directory, recorder, peers)
        try:
            yield region
        finally:
            region.down()


def processes_of(directory: Path) -> list[psutil.Process]:
    """Return the processes of the region in a directory: the supervisor and all below it."""
    children = psutil.Process(os.getpid()).children()
    (supervisor,) = [each for each in children if str(directory) in each.cmdline()]
    return [supervisor, *supervisor.children(recursive=True)]


def tell(stage: Stage, *names: str) -> None:
    """Perform steps of the story by name; raises StepFailed."""
    steps = {step.name: step for step in STEPS}
    for name in names:
        perform(steps[name], stage)


def door(stage: Stage, tier: str) -> Endpoint:
    """Return where a tier's DICOM door is."""
    place = stage.region["central"] if tier == CENTRE else stage.region["trusts"][tier]
    return Endpoint(**place["dicom"])
