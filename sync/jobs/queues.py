"""Where wake-ups travel: one queue for each class of work, on Redis, Valkey or RabbitMQ."""

from collections.abc import Mapping
from urllib.parse import parse_qs, quote, unquote, urlsplit

from kombu.entity import Queue

from archive.errors import ConfigurationInvalid
from sync.jobs.work import PRESSING

_REDIS = ("redis", "rediss", "redis+socket")
_RABBIT = ("amqp", "amqps", "pyamqp")

_CONNECT_S = 2.0


def broker_url(text: str) -> str:
    """Return a broker's address as kombu reads it; redis-py's `unix://PATH?db=N` is taken too.

    Raises:
        ConfigurationInvalid: it is neither a Redis nor an AMQP address.
    """
    if text.startswith("unix:"):
        parts = urlsplit(text)
        database = parse_qs(parts.query).get("db", ["0"])[0]
        path = quote(unquote(parts.path))
        return f"redis+socket://{path}?virtual_host={quote(database)}"
    if _scheme(text) not in (*_REDIS, *_RABBIT):
        raise ConfigurationInvalid(
            "The broker must be a redis, redis+socket or amqp address.", scheme=_scheme(text)
        )
    return text


def queues(url: str) -> list[Queue]:
    """Return the queues at a broker: durable, at RabbitMQ quorum queues, no priorities."""
    arguments = {"x-queue-type": "quorum"} if _scheme(url) in _RABBIT else None
    return [
        Queue(  # type: ignore[no-untyped-call]
            job_class.value,
            routing_key=job_class.value,
            durable=True,
            queue_arguments=arguments,
        )
        for job_class in PRESSING
    ]


def transport_options(url: str) -> Mapping[str, object]:
    """Return how kombu treats the broker.

    No publisher waits for a broker that is away: one try, because the sweep forgives. On Redis a
    message that was taken and never acknowledged comes back after `visibility_timeout`; as
    wake-ups are acknowledged on receipt, and do nothing when nothing is due, that is harmless.
    """
    once = {"max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0}
    if _scheme(url) in _RABBIT:
        return {**once, "confirm_publish": True}
    return {
        **once,
        "priority_steps": [0],
        "visibility_timeout": 3600,
        "socket_connect_timeout": _CONNECT_S,
        "socket_timeout": _CONNECT_S * 5,
    }


def _scheme(url: str) -> str:
    return url.partition("://")[0]
