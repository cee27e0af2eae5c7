"""The Celery application. A task is a wake-up for a class of work; all else is the ledger's."""

from collections.abc import Callable

from celery import Celery

from sync.jobs.queues import broker_url, queues, transport_options
from sync.jobs.work import JobClass

WAKE = "jobs.wake"


def celery_app(broker: str) -> Celery:
    """Return an application that can send wake-ups; nothing is opened.

    Raises:
        ConfigurationInvalid: the broker's address is not understood.
    """
    url = broker_url(broker)
    app = Celery("imagestore", set_as_current=False, fixups=[])
    app.conf.update(
        broker_url=url,
        broker_transport_options=transport_options(url),
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_heartbeat=0,
        broker_pool_limit=1,
        task_queues=queues(url),
        task_default_queue=JobClass.ROUTINE.value,
        task_default_exchange="wake-ups",
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        task_send_sent_event=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,  # only late ones: we have none
        worker_enable_prefetch_count_reduction=False,
    )
    return app


def listen(app: Celery, run: Callable[[JobClass], None]) -> None:
    """Let wake-ups that reach this application's worker call `run`."""

    @app.task(name=WAKE, ignore_result=True, shared=False)  # shared: for every app of a process
    def wake(job_class: str, _hint: int | None = None) -> None:
        """Do the best due job of a class; the hint only says which one made the noise."""
        run(JobClass(job_class))
