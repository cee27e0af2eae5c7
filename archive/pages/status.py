"""What a tier's first page tells, in plain words, from its counts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from archive.index.counts import Counts
from archive.index.register import Answer
from archive.states import JobState, OrderState

JOB_WORDS: Mapping[str, str] = {
    JobState.SCHEDULED: "waiting, or to be tried again",
    JobState.IN_PROGRESS: "being done now",
    JobState.COMPLETED: "done",
    JobState.FAILED: "given up; a person must look",
    JobState.CANCELED: "cancelled by a person",
}

ORDER_WORDS: Mapping[str, str] = {
    OrderState.OFFERED: "offered, not yet taken by the node",
    OrderState.ACKNOWLEDGED: "taken by the node, under way",
    OrderState.DONE: "carried out",
    OrderState.FAILED: "failed at the node; a person must look",
    OrderState.WITHDRAWN: "no longer wanted",
}

ANSWER_WORDS: Mapping[str, str] = {
    Answer.REGISTERED: "new, and kept",
    Answer.ALREADY_HELD: "sent again, octet for octet the same",
    Answer.SAME_CONTENT: "the same image, coded differently; kept beside the first",
    Answer.REVISED: "the same image with another header; both kept",
    Answer.ECHO: "sent out by this store and come back",
    Answer.CONFLICTING: "another image under a UID that is taken; a person must decide",
    Answer.UNREADABLE: "could not be read; kept aside for a person",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One count with what it means."""

    name: str
    number: int
    meaning: str


def job_rows(counts: Counts) -> list[Row]:
    """Return the jobs by state, in the order of a job's life."""
    return _rows(counts.jobs, JOB_WORDS)


def order_rows(counts: Counts) -> list[Row]:
    """Return the orders by state, in the order of an order's life."""
    return _rows(counts.orders, ORDER_WORDS)


def answer_rows(counts: Counts) -> list[Row]:
    """Return how often each answer was given to what arrived."""
    return _rows(counts.answers, ANSWER_WORDS)


def concerns(counts: Counts) -> list[Row]:
    """Return what a person must look at, nothing that is zero."""
    rows = (
        Row("Held objects", counts.held, "arrived, kept, and could not be read"),
        Row("Findings", counts.data_quality, "in messages and objects, each with its reason"),
        Row("Packs held back", counts.packs_withheld, "they do not leave until a person decides"),
        Row("In quarantine", counts.quarantined, "images that contradict one another under a UID"),
        Row("Failed jobs", counts.jobs.get(JobState.FAILED, 0), "given up after every attempt"),
        Row(
            "Failed orders",
            counts.orders.get(OrderState.FAILED, 0),
            "a node could not carry them out",
        ),
    )
    return [row for row in rows if row.number]


def _rows(numbers: Mapping[str, int], words: Mapping[str, str]) -> list[Row]:
    """Return a row for each name that has a number; names without words come last."""
    known = [
        Row(_readable(name), numbers[name], meaning)
        for name, meaning in words.items()
        if name in numbers
    ]
    return known + [
        Row(_readable(name), number, "") for name, number in numbers.items() if name not in words
    ]


def _readable(name: str) -> str:
    """Return ``IN_PROGRESS`` or ``AlreadyHeld`` as ``In progress`` or ``Already held``."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.replace("_", " "))
    return parted.capitalize()
