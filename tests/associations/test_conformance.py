"""The conformance statement names what the door does."""

from enum import IntEnum
from pathlib import Path

import pytest

from archive.dimse import negotiation
from archive.dimse.limits import DoorLimits
from archive.index.matching import MATCHED
from archive.view.stamp import STAMPED_KEYWORDS
from archive.words.commitment import PUSH_MODEL, FailureReason
from archive.words.statuses import ActionStatus, FindStatus, RetrieveStatus, StoreStatus
from archive.words.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

STATEMENT = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return STATEMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("title", "statuses"),
    [
        ("Storage", StoreStatus),
        ("Storage commitment", ActionStatus),
        ("Storage commitment", FailureReason),
        ("Query", FindStatus),
        ("Retrieve", RetrieveStatus),
    ],
)
def test_every_status_is_told(title: str, statuses: type[IntEnum]) -> None:
    assert {f"{one:04X}H" for one in statuses if f"{one:04X}H" not in section(title)} == set()


def test_every_service_is_told() -> None:
    served = negotiation.SERVED | {PUSH_MODEL}
    assert {uid for uid in served if f" {uid} " not in STATEMENT} == set()


def test_every_stamped_element_is_told() -> None:
    told = section("What the view changes")

    assert {keyword for keyword in STAMPED_KEYWORDS if keyword not in told} == set()


def test_every_matched_key_is_told() -> None:
    keys = set().union(*MATCHED.values())

    assert {key for key in keys if key not in section("Query")} == set()


def test_limits_and_names_are_told() -> None:
    told = section("Associations")

    for value in (
        IMPLEMENTATION_CLASS_UID,
        IMPLEMENTATION_VERSION_NAME,
        f"{DoorLimits().pdu_bytes:,}",
        f"{DoorLimits().associations};",
        f"{DoorLimits().idle_seconds:.0f} s",
    ):
        assert value in told
