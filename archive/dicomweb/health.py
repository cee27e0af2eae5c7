"""Whether a process lives and can serve, and what it has counted."""

from collections.abc import Callable, Iterator, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from archive.dicomweb.access import Rule, route
from archive.errors import ArchiveError
from archive.index.counts import Counts

ReadyChecks = Mapping[str, Callable[[], object]]
"""By name: what raises while the tier cannot serve."""

_EXPOSITION = "text/plain; version=0.0.4"


def health_routes(checks: ReadyChecks) -> list[BaseRoute]:
    """Return ``/health/live`` and ``/health/ready``.

    Ready is 200 when no check raises, else 503; both say what each check found.
    """

    async def live(_request: Request) -> Response:
        return JSONResponse({"live": True})

    def ready(_request: Request) -> Response:
        found = {name: _finding(check) for name, check in checks.items()}
        is_ready = all(finding == "ok" for finding in found.values())
        return JSONResponse(
            {"ready": is_ready, "checks": found}, status_code=200 if is_ready else 503
        )

    return [
        route("/health/live", live, rule=Rule.PUBLIC),
        route("/health/ready", ready, rule=Rule.PUBLIC),
    ]


def _finding(check: Callable[[], object]) -> str:
    try:
        check()
    except ArchiveError as error:
        return error.sentence
    except Exception as error:  # noqa: BLE001 - a check that fails in any way says: not ready
        return type(error).__name__
    return "ok"


def metrics_route(counts: Callable[[], Counts]) -> BaseRoute:
    """Return ``/metrics`` in Prometheus' text format, for operators."""

    def metrics(_request: Request) -> Response:
        lines = "".join(line + "\n" for line in exposition(counts()))
        return PlainTextResponse(lines, media_type=_EXPOSITION)

    return route("/metrics", metrics, rule=Rule.OPERATOR)


def exposition(counts: Counts) -> Iterator[str]:
    """Yield the lines of Prometheus' text format for the counts of one moment."""
    for name, (label, values) in _gauges(counts).items():
        yield f"# TYPE imagestore_{name} gauge"
        for value, number in values.items():
            labels = f'{{{label}="{_escaped(value)}"}}' if label else ""
            yield f"imagestore_{name}{labels} {number}"


def _gauges(counts: Counts) -> dict[str, tuple[str, Mapping[str, int]]]:
    """Return (label, values by label) by name; a gauge without labels has the label ``""``."""
    plain = (
        "instances loose_instances packs packs_announced octets documents patients held"
        " data_quality rejected quarantined"
    )
    gauges: dict[str, tuple[str, Mapping[str, int]]] = {
        name: ("", {"": getattr(counts, name)}) for name in plain.split()
    }
    heard = {node.name: node.last_heard_ms // 1000 for node in counts.nodes if node.last_heard_ms}
    oldest = {} if counts.oldest_job_ms is None else {"": counts.oldest_job_ms // 1000}
    return gauges | {
        "studies": ("custodian", counts.studies),
        "study_states": ("state", counts.study_states),
        "jobs": ("state", counts.jobs),
        "orders": ("state", counts.orders),
        "register_answers": ("answer", counts.answers),
        "oldest_job_created_seconds": ("", oldest),
        "node_last_heard_seconds": ("node", heard),
    }


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
