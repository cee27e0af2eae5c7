"""One acceptor, several processes that receive: how they share, and how they end."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.demo.upper_layer import AssociationAborted, AssociationLost, AssociationRejected
from tests.associations.door import wire
from tests.peers.processes import wait_until
from tests.receiving.gates import connected, has_ended, request
from tests.receiving.nodes import Node, running_node

ENDED = (AssociationAborted, AssociationLost)
END_SECONDS = 5.0
MEMORY_BYTES = 60 * 1024 * 1024


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running_node(tmp_path) as running:
        yield running


def test_associations_go_to_the_process_that_has_fewest_open(node: Node) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(node.modality().open())
            stack.enter_context(node.modality().open())
        node.wait_connections(3, 3)

    node.wait_connections(0, 0)


def test_what_any_process_received_is_handed_over_while_its_association_is_open(
    node: Node,
) -> None:
    objects = [wire(f"1.2.3.4.{n}") for n in range(4)]
    with ExitStack() as stack:
        for one in objects:
            association = stack.enter_context(node.modality().open([one]))
            assert association.store(one).status == 0
        node.wait_connections(2, 2)

        sent = {one.sop_instance_uid for one in objects}
        wait_until(lambda: node.stored() == sent, what="all are handed over")


def test_a_process_that_is_held_up_delays_only_its_own_peers(node: Node) -> None:
    with node.modality().open() as first, node.modality().open() as second:
        node.wait_connections(1, 1)
        other = node.serving(second._connection._socket.getsockname()[1])
        with suspended(node.serving(first._connection._socket.getsockname()[1])) as held_up:
            assert held_up != other
            assert second.echo() == 0
        assert first.echo() == 0


@contextmanager
def suspended(process: psutil.Process) -> Iterator[psutil.Process]:
    process.suspend()
    try:
        yield process
    finally:
        process.resume()


def test_a_killed_process_breaks_its_own_associations_and_comes_anew(node: Node) -> None:
    with ExitStack() as stack:
        associations = [stack.enter_context(node.modality().open()) for _ in range(4)]
        node.wait_connections(2, 2)
        killed = node.receiving()[0]

        killed.send_signal(signal.SIGKILL)
        node.wait_replaced(killed)
        node.wait_connections(0, 2)

        served = 0
        for one in associations:
            try:
                served += one.echo() == 0
            except ENDED:
                continue
        assert served == 2
        with node.modality().open(), node.modality().open():
            node.wait_connections(2, 2)


def test_places_of_a_killed_process_are_free_again(tmp_path: Path) -> None:
    with running_node(tmp_path, limits={"associations": 2}) as node, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(node.modality().open())
        with pytest.raises(AssociationRejected) as rejected:
            node.modality().open()
        assert (rejected.value.result, rejected.value.source, rejected.value.reason) == (2, 3, 2)

        killed = node.receiving()[0]
        killed.send_signal(signal.SIGKILL)

        node.wait_replaced(killed)
        stack.enter_context(node.modality().open())
        with pytest.raises(AssociationRejected):
            node.modality().open()


def test_limits_of_an_ae_are_kept_over_all_processes(tmp_path: Path) -> None:
    with running_node(tmp_path, limits={"associations_per_ae": 3}) as node, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(node.modality("CT1").open())

        with pytest.raises(AssociationRejected):
            node.modality("CT1").open()
        assert node.modality("MR1").echo() == 0


def test_processes_end_at_once_when_the_acceptor_is_killed(node: Node) -> None:
    with node.modality().open() as association:
        receiving = node.receiving()

        node.process.kill()

        assert psutil.wait_procs(receiving, END_SECONDS)[1] == []
        with pytest.raises(ENDED):
            association.echo()
    node.process.start()
    assert node.modality().echo() == 0


def test_a_stop_ends_open_associations_within_five_seconds(node: Node) -> None:
    one = wire("1.2.3.4.1")
    silent, half = connected(node.port, request()), connected(node.port, request()[:50])
    with node.modality().open([one]) as association:
        assert association.store(one).status == 0
        receiving = node.receiving()
        begun = time.monotonic()

        node.process.stop()

        assert time.monotonic() - begun < END_SECONDS + 1
        assert not any(process.is_running() for process in receiving)
        assert node.stored() == {one.sop_instance_uid}
        with pytest.raises(ENDED):
            association.echo()
    for connection in (silent, half):
        assert has_ended(connection)
        connection.close()


def test_a_process_that_is_asked_to_end_does_so_in_order_and_comes_anew(node: Node) -> None:
    asked = node.receiving()[0]

    asked.terminate()

    assert asked.wait(END_SECONDS) in {0, None}
    node.wait_replaced(asked)
    assert node.modality().echo() == 0


def test_one_process_serves_by_itself(tmp_path: Path) -> None:
    with running_node(tmp_path, processes=1) as node:
        assert node.receiving() == []
        assert node.modality().echo() == 0


def test_no_process_has_what_only_queries_need(node: Node) -> None:
    one = wire("1.2.3.4.1")
    for _ in range(4):
        with node.modality().open([one]) as association:
            assert association.store(one).status == 0
            assert association.echo() == 0

    for process in (psutil.Process(node.receiving()[0].ppid()), *node.receiving()):
        mapped = " ".join(each.path for each in process.memory_maps())
        assert [name for name in ("numpy", "PIL", "sqlalchemy", "openjpeg") if name in mapped] == []
        assert process.memory_info().rss < MEMORY_BYTES
