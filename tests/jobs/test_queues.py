"""Where wake-ups travel."""

import pytest

from archive.errors import ConfigurationInvalid
from sync.jobs.celery_app import WAKE, celery_app, listen
from sync.jobs.queues import broker_url, queues
from sync.jobs.work import JobClass

SOCKET = "redis+socket:///run/x/valkey.sock?virtual_host=1"


def test_the_classes_are_the_queues() -> None:
    assert [queue.name for queue in queues(SOCKET)] == [member.value for member in JobClass]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (SOCKET, SOCKET),
        ("unix:///run/x/valkey.sock?db=1", SOCKET),
        ("unix:///run/x/valkey.sock", "redis+socket:///run/x/valkey.sock?virtual_host=0"),
        ("redis://broker:6379/2", "redis://broker:6379/2"),
        ("amqps://u:p@broker/region", "amqps://u:p@broker/region"),
    ],
)
def test_a_broker_is_written_as_kombu_or_as_redis_has_it(given: str, read: str) -> None:
    assert broker_url(given) == read


def test_a_broker_that_is_not_understood_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        broker_url("http://user:secret@broker")
    assert "secret" not in str(refused.value) + str(refused.value.facts)


def test_rabbitmq_gets_quorum_queues_and_no_priorities_are_used_anywhere() -> None:
    for url in (SOCKET, "amqp://broker//"):
        for queue in queues(url):
            told = queue.as_dict()  # type: ignore[no-untyped-call]
            assert (told["max_priority"], told["durable"]) == (None, True)
    for queue in queues("amqp://broker//"):
        told = queue.as_dict()  # type: ignore[no-untyped-call]
        assert told["queue_arguments"] == {"x-queue-type": "quorum"}


def test_a_task_keeps_no_result_and_is_acknowledged_on_receipt() -> None:
    app = celery_app(SOCKET)
    woken: list[JobClass] = []
    listen(app, woken.append)
    task = app.tasks[WAKE]
    assert (task.ignore_result, task.acks_late, task.max_retries) == (True, False, 3)
    assert app.conf.result_backend is None
    task("urgent", 7)
    assert woken == [JobClass.URGENT]
