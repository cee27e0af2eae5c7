"""What a process owes its starter, and that it owes nothing to nobody."""

import os
import threading

import pytest

from archive.process import DEATH_PIPE, READY_FD, report_ready, watch_parent


def test_a_process_that_was_started_by_hand_watches_and_reports_nothing() -> None:
    before = threading.active_count()
    watch_parent()
    report_ready(http=1)
    assert threading.active_count() == before


@pytest.mark.parametrize("value", ["", "x", "²", "-1", "99999", str(2**70), "no pipe"])
def test_a_variable_that_names_no_pipe_is_no_starter(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    with open(os.devnull, "rb") as file:  # noqa: PTH123 - its descriptor is what is wanted
        named = str(file.fileno()) if value == "no pipe" else value
        monkeypatch.setenv(DEATH_PIPE, named)
        monkeypatch.setenv(READY_FD, named)
        before = threading.active_count()
        watch_parent()
        report_ready(http=1)
        assert threading.active_count() == before


def test_ready_is_one_line_and_its_variable_is_not_handed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setenv(READY_FD, str(write_end))

    report_ready(http=8042, dicom=104)
    report_ready(http=1)

    assert os.read(read_end, 4096) == b'{"ports": {"http": 8042, "dicom": 104}}\n'
    assert os.read(read_end, 4096) == b""
    assert READY_FD not in os.environ
    os.close(read_end)
