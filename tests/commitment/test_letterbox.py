"""A letterbox gives one answer to one association, and never keeps it from going another way."""

import threading
from pathlib import Path

import pytest

from archive.dimse import letterbox
from archive.dimse.letterbox import Letterbox, Slot
from tests.peers.processes import wait_until

NAME = Letterbox.name("CT1", "1.2.9")


@pytest.fixture
def letters(tmp_path: Path) -> Letterbox:
    return Letterbox(tmp_path / "letters")


class Interrupted(Exception):
    """The worker is to stop."""


def never() -> None:
    """Let nothing interrupt."""


def at_once() -> None:
    raise Interrupted


class Delivery:
    """A worker that delivers, in a thread."""

    def __init__(self, letters: Letterbox) -> None:
        self.acknowledged: bool | None = None
        self._thread = threading.Thread(target=self._run, args=(letters,), daemon=True)
        self._thread.start()

    def _run(self, letters: Letterbox) -> None:
        self.acknowledged = letters.deliver(NAME, b"answer", never)

    def end(self) -> bool | None:
        self._thread.join(20)
        return self.acknowledged


def waiting(letters: Letterbox) -> Slot:
    slot = letters.wait(NAME)
    assert slot is not None
    return slot


def taken(slot: Slot) -> bytes:
    found: list[bytes] = []

    def takes() -> bool:
        found.extend(filter(None, [slot.take()]))
        return bool(found)

    wait_until(takes, what="an answer", seconds=10)
    return found[0]


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name.removeprefix(NAME) for path in (tmp_path / "letters").iterdir())


def test_no_text_of_a_peer_becomes_a_path(tmp_path: Path, letters: Letterbox) -> None:
    name = letters.name("../../CT1", "1.2/..\0\n")
    slot = letters.wait(name)
    assert slot is not None

    (file,) = (tmp_path / "letters").iterdir()
    assert file.name == f"{name}.open"
    assert set(name) <= set("0123456789abcdef")
    slot.close()


@pytest.mark.parametrize("acknowledged", [True, False])
def test_the_worker_learns_whether_the_peer_acknowledged_and_nothing_is_left(
    tmp_path: Path, letters: Letterbox, *, acknowledged: bool
) -> None:
    slot = waiting(letters)
    delivery = Delivery(letters)

    assert taken(slot) == b"answer"
    assert slot.take() is None, "an answer is taken once"
    slot.close(acknowledged=acknowledged)
    assert delivery.end() is acknowledged
    wait_until(lambda: files(tmp_path) == [], what="a tidy directory", seconds=5)


def test_nobody_waits_and_the_answer_goes_another_way(letters: Letterbox) -> None:
    assert letters.deliver(NAME, b"answer", never) is False


def test_one_association_waits_for_one_answer(letters: Letterbox) -> None:
    slot = waiting(letters)

    assert letters.wait(NAME) is None
    slot.close()
    waiting(letters).close()


def test_an_answer_that_is_not_taken_in_time_is_taken_back(
    letters: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letterbox, "TAKEN_SECONDS", 0.0)
    slot = waiting(letters)

    assert letters.deliver(NAME, b"answer", never) is False
    assert slot.take() is None, "it may be on its way over another association"
    slot.close()


def test_an_association_that_hangs_with_its_answer_is_given_up(
    letters: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letterbox, "LONGEST_SECONDS", 0.0)
    slot = waiting(letters)
    with pytest.raises(Interrupted):
        letters.deliver(NAME, b"answer", at_once)
    assert slot.take() == b"answer"

    assert letters.deliver(NAME, b"answer", never) is False
    slot.close(acknowledged=False)


def test_a_worker_that_is_stopped_leaves_the_answer_for_the_next(
    tmp_path: Path, letters: Letterbox
) -> None:
    slot = waiting(letters)
    with pytest.raises(Interrupted):
        letters.deliver(NAME, b"answer", at_once)
    assert taken(slot) == b"answer"
    with pytest.raises(Interrupted):
        letters.deliver(NAME, b"answer", at_once)
    assert ".result" not in files(tmp_path), "it is not put there twice"
    slot.close(acknowledged=True)

    assert letters.deliver(NAME, b"answer", never) is True


def test_what_a_dead_association_left_is_removed_and_delays_nothing(
    tmp_path: Path, letters: Letterbox
) -> None:
    directory = tmp_path / "letters"
    directory.mkdir()
    for suffix in (".open", ".sending"):
        (directory / f"{NAME}{suffix}").write_bytes(b"")

    assert letters.deliver(NAME, b"answer", never) is False
    assert files(tmp_path) == []


def test_who_waits_anew_is_not_answered_with_how_it_ended_before(
    tmp_path: Path, letters: Letterbox
) -> None:
    waiting(letters).close()
    (tmp_path / "letters" / f"{NAME}.acknowledged").write_bytes(b"")
    slot = waiting(letters)
    delivery = Delivery(letters)

    assert taken(slot) == b"answer"
    slot.close(acknowledged=True)
    assert delivery.end() is True
