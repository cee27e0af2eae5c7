"""What the supervisor says of its children, and what a person reads of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.region.directory import RegionDirectory, read_json, write_quickly
from deploy.region.errors import RegionNotUp
from deploy.region.lock import is_held


def write_status(path: Path, children: Sequence[dict[str, object]], *, ready: bool) -> None:
    """Replace the status file; it is for people, so it need not be durable."""
    write_quickly(path, {"ready": ready, "children": list(children)})


def read_status(directory: RegionDirectory) -> dict[str, object]:
    """Return {"ready", "children": [{"name", "state", "pid", "since", "restarts", …}]}.

    Raises RegionNotUp.
    """
    if not is_held(directory.lock):
        raise RegionNotUp(f"no region is up in {directory.root}")
    return read_json(directory.status)


def status_lines(status: Mapping[str, object]) -> Sequence[str]:
    """Return a table for a terminal, one process a line."""
    children = status.get("children")
    rows = [_row(child) for child in children] if isinstance(children, list) else []
    table = [("process", "state", "restarts", "since", "ports", "last end"), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    said = "ready" if status.get("ready") else "not all ready"
    return [f"region: {said}", *(_line(row, widths) for row in table)]


def _row(child: Mapping[str, object]) -> tuple[str, ...]:
    ports = child["ports"]
    told = [f"{name} {port}" for name, port in ports.items()] if isinstance(ports, dict) else []
    plain = (str(child[key]) for key in ("name", "state", "restarts", "since"))
    return (*plain, ", ".join(told), str(child["last_end"]))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
