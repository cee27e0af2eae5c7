"""What a log line says of an error that nobody foresaw: keys and places, never its text."""

from traceback import walk_tb
from types import TracebackType

from pydantic import ValidationError

OWN = frozenset({"archive", "sync", "local_node", "central_store", "deploy"})
_MOST = 10
"""So many faults of one message are told."""


def told_of(error: Exception) -> dict[str, object]:
    """Return what fell and where in our own code; its text is left out: it may name a person.

    Of a message that breaks its form also which fields did, and how; never what they held.
    """
    told: dict[str, object] = {"error": type(error).__name__, "where": _where(error.__traceback__)}
    if isinstance(error, ValidationError):
        told["faults"] = ", ".join(_faults(error)[:_MOST])
    return told


def _where(trace: TracebackType | None) -> str:
    """Return module and line of the innermost frame that is ours; else of the innermost."""
    places = [(str(frame.f_globals.get("__name__", "")), line) for frame, line in walk_tb(trace)]
    own = [place for place in places if place[0].partition(".")[0] in OWN]
    for name, line in (own or places)[-1:]:
        return f"{name}:{line}"
    return ""


def _faults(error: ValidationError) -> list[str]:
    """Return each fault as ``place type``. A field that is in no form was named by the peer."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        f"{'.'.join(map(str, _own_part(fault['loc'], fault['type'])))} {fault['type']}"
        for fault in found
    ]


def _own_part(place: tuple[int | str, ...], kind: str) -> tuple[int | str, ...]:
    return (*place[:-1], "*") if kind == "extra_forbidden" else place
