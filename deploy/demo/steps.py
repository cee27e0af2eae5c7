"""The story as a list of steps; each can fail, and all later ones stand on it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from archive.errors import ArchiveError
from deploy.demo import who
from deploy.demo.chapters import (
    archiving,
    arrival,
    centre,
    priors,
    rejecting,
    strangers,
    watching,
)
from deploy.demo.evidence import Evidence, StepFailed
from deploy.demo.mllp import MllpError
from deploy.demo.stage import Stage
from deploy.demo.upper_layer import PeerError
from deploy.demo.web import WebError

MISBEHAVED = (
    ArchiveError,
    AttributeError,
    LookupError,
    MllpError,
    OSError,
    PeerError,
    ValueError,
    WebError,
)
"""What comes of a region that answers otherwise than a step can even compare."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story."""

    name: str
    """Short, for tables and tests."""

    title: str
    """A sentence that says what happens."""

    run: Callable[[Stage], Evidence]
    """Does it and tells what was seen; raises StepFailed."""


STEPS = (
    Step("store", f"Modalities of {who.HOME} store to its node", archiving.modality_stores),
    Step("register", f"{who.HOME}'s PAS tells who they are", archiving.pas_tells),
    Step("replicate", "Series are sealed and replicated to the centre", archiving.centre_confirms),
    Step("query", "The centre answers queries for the patient", centre.queries_centre),
    Step("retrieve", "The centre gives every instance back", centre.gives_back_by_wado),
    Step("stored", "The centre gives the stored octets", centre.gives_stored_octets),
    Step("arrive", f"The patient is admitted at {who.NEXT}", arrival.priors_arrive),
    Step("only", f"Nobody else's images went to {who.NEXT}", arrival.nothing_else_came),
    Step("find", f"A workstation of {who.NEXT} finds the priors", priors.found_by_local_number),
    Step("get", "It gets them, under its own numbers", priors.got_by_c_get),
    Step("move", "It has them moved", priors.moved_by_c_move),
    Step("stranger", f"{who.STRANGER} got nothing", strangers.stranger_has_nothing),
    Step(
        "withhold", "The centre sends strangers nothing", strangers.centre_sends_strangers_nothing
    ),
    Step("refuse", "The centre refuses unknown callers", strangers.centre_refuses_the_unknown),
    Step("apart", "Equal numbers of two people never mix", strangers.equal_numbers_never_mix),
    Step("reject", "A rejection note hides an image everywhere", rejecting.image_is_rejected),
    Step("watch", "A page at each tier shows it", watching.pages_tell),
    Step("trace", "The life of the CT can be told", watching.life_is_known),
)


@dataclass(frozen=True, slots=True)
class Held:
    """A step that held."""

    step: Step
    evidence: Evidence
    seconds: float


def perform(step: Step, stage: Stage) -> Held:
    """Do a step.

    Raises:
        StepFailed: it did not hold, for whatever reason.
    """
    began = time.monotonic()
    try:
        told = step.run(stage)
    except MISBEHAVED as problem:
        raise StepFailed(
            expected=f"an answer that can be compared, at step '{step.name}'",
            seen=f"{type(problem).__name__}: {problem}",
            hint=f"The logs are in {stage.directory / 'log'}.",
        ) from problem
    return Held(step=step, evidence=told, seconds=time.monotonic() - began)
