"""What the supervisor promises of its children, with real processes."""

import os
import signal
import socket
from pathlib import Path

from tests.region.stages import Stage, becomes_true

PLAIN = {"name": "plain", "acts": ""}


def test_ready_is_told_when_every_child_has_reported_its_ports(stage: Stage) -> None:
    stage.start(PLAIN, {"name": "second", "acts": "", "needs": "plain"})

    assert [stage.child(name)["state"] for name in ("plain", "second")] == ["READY", "READY"]
    with socket.create_connection(("127.0.0.1", stage.child("plain")["ports"]["http"])):
        pass


def test_a_child_that_falls_comes_again_on_the_same_port_and_its_fall_is_told(
    stage: Stage,
) -> None:
    stage.start(PLAIN)
    before = stage.child("plain")

    os.kill(before["pid"], signal.SIGKILL)

    assert becomes_true(lambda: stage.child("plain")["restarts"] == 1)
    assert becomes_true(lambda: stage.child("plain")["state"] == "READY")
    after = stage.child("plain")
    assert after["ports"] == before["ports"]
    assert after["last_end"] == "ended by SIGKILL"
    assert "child.fell" in stage.end()[1]


def test_what_a_child_needed_at_first_it_does_not_need_to_come_again(stage: Stage) -> None:
    stage.start(
        {"name": "first", "acts": ""},
        {"name": "second", "acts": "", "needs": "first"},
    )
    (stage.directory.config / "first").with_suffix(".fall").touch()
    os.kill(stage.child("first")["pid"], signal.SIGKILL)
    assert becomes_true(lambda: stage.child("first")["restarts"] >= 2)

    os.kill(stage.child("second")["pid"], signal.SIGKILL)

    assert becomes_true(
        lambda: stage.child("second")["restarts"] == 1 and stage.child("second")["ports"]
    )
    assert stage.child("first")["last_end"] == "exit status 1"


def test_what_a_fallen_child_had_started_itself_does_not_live_on(stage: Stage) -> None:
    stage.start({"name": "parent", "acts": "grandchild"})
    assert becomes_true(lambda: len(stage.others()) == 2)
    before = set(stage.others())

    os.kill(stage.child("parent")["pid"], signal.SIGKILL)

    assert becomes_true(lambda: not before & set(stage.others()))


def test_no_process_outlives_a_killed_supervisor(stage: Stage) -> None:
    stage.start(
        {"name": "parent", "acts": "grandchild"},
        {"name": "polite", "acts": "polite grandchild"},
        {"name": "stubborn", "acts": "stubborn"},
        {"name": "foreign", "foreign": "/bin/sleep 600"},
    )
    assert becomes_true(lambda: len(stage.others()) == 6)

    stage.end(signal.SIGKILL)

    assert becomes_true(lambda: not stage.others())


def test_a_child_whose_supervisor_is_killed_while_it_starts_ends_too(stage: Stage) -> None:
    os.close(stage.begin({"name": "starting", "acts": "silent"}))
    assert becomes_true(stage.others)

    stage.end(signal.SIGKILL)

    assert becomes_true(lambda: not stage.others())


def test_a_new_supervisor_waits_for_the_children_of_a_killed_one(stage: Stage) -> None:
    stage.start({"name": "stubborn", "acts": "stubborn"})
    port = stage.child("stubborn")["ports"]
    stage.end(signal.SIGKILL)

    stage.start({"name": "stubborn", "acts": "stubborn"})

    assert stage.child("stubborn")["ports"] == port
    assert len(stage.others()) == 1


def test_a_child_that_never_comes_up_fails_the_start_with_its_last_words(stage: Stage) -> None:
    stage.start(PLAIN, {"name": "broken", "acts": "fall"})
    assert stage.process is not None
    said, _ = stage.process.communicate(timeout=30)

    assert stage.process.returncode == 1
    assert "broken ended 2 times (exit status 1)" in said
    assert "I fall at once" in said
    assert not stage.others()


def test_told_to_end_it_ends_everything_and_kills_what_does_not_listen(stage: Stage) -> None:
    stage.start(
        {"name": "parent", "acts": "grandchild"},
        {"name": "stubborn", "acts": "stubborn"},
        {"name": "foreign", "foreign": "/bin/sleep 600"},
    )

    status, _ = stage.end(signal.SIGINT)

    assert status == 0
    assert not stage.others()
    assert stage.child("stubborn")["last_end"] == "ended by SIGKILL"
    assert stage.child("foreign")["last_end"] == "ended by SIGTERM"


def test_orphans_are_reaped_where_the_first_process_never_would(stage: Stage) -> None:
    stage.start({"name": "parent", "acts": "orphan"})
    assert stage.process is not None

    children = Path(f"/proc/{stage.process.pid}/task/{stage.process.pid}/children")
    only = str(stage.child("parent")["pid"])

    assert becomes_true(lambda: children.read_text().split() == [only])


def test_a_log_that_has_grown_long_is_put_aside_when_its_process_starts(stage: Stage) -> None:
    stage.directory.make()
    log = stage.directory.log / "plain.log"
    with log.open("wb") as file:
        file.truncate(10_000_001)

    stage.start(PLAIN)

    assert log.stat().st_size < 10_000
    assert log.with_name("plain.log.1").stat().st_size == 10_000_001
