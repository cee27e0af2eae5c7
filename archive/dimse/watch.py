"""Watches open associations from outside: none outlives its time, whatever its threads do."""

import logging
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archive.dimse.limits import DoorLimits

if TYPE_CHECKING:
    from pynetdicom.association import Association

LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
_ABORT_SECONDS = 3.0
"""For so long an aborted peer may close; then the connection is broken."""


@dataclass(slots=True, eq=False)
class _Open:
    association: "Association"
    connection: socket.socket
    until: float
    """By the monotonic clock: an established association is aborted then."""
    idle_since: float | None
    """Since when no association is established on the connection: before, or after it."""
    abort: threading.Thread | None = None


class Watch:
    """Knows the open associations of a process, and ends them when their time is over."""

    def __init__(self, limits: DoorLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._open: dict[Association, _Open] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def add(self, association: "Association", connection: socket.socket) -> None:
        """Watch an association from now on."""
        now = time.monotonic()
        one = _Open(association, connection, now + self._limits.total_seconds, now)
        with self._lock:
            self._open[association] = one
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dicom-watch", daemon=True)
                self._thread.start()

    def remove(self, association: "Association") -> None:
        """Watch it no more: it has ended."""
        with self._lock:
            self._open.pop(association, None)

    def end_all(self, seconds: float) -> None:
        """Abort all that are open, and wait at most so long until they have ended."""
        self._stopped.set()
        for one in self._all():
            _abort(one)
        if not self._ended(seconds):
            for one in self._all():
                _break(one.connection)
            self._ended(1.0)

    def _ended(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        for one in self._all():
            one.association.join(max(0.0, end - time.monotonic()))
        return not self._all()

    def _all(self) -> list[_Open]:
        with self._lock:
            return list(self._open.values())

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            now = time.monotonic()
            for one in self._all():
                self._look(one, now)

    def _look(self, one: _Open, now: float) -> None:
        if one.association.is_established:
            one.idle_since = None
            if now > one.until:
                LOGGER.warning("association=%s aborted limit=total_seconds", one.association.name)
                _abort(one)
        elif one.idle_since is None:
            one.idle_since = now
        elif now > one.idle_since + self._patience(one):
            LOGGER.warning("association=%s broken", one.association.name)
            _break(one.connection)

    def _patience(self, one: _Open) -> float:
        # The upper layer has the same limit, and a second to keep it in the Standard's way.
        return _ABORT_SECONDS if one.abort else self._limits.artim_seconds + 1.0


def _abort(one: _Open) -> None:
    """Send A-ABORT; waiting until that has been done is another thread's."""
    if one.abort is None:
        one.abort = threading.Thread(target=one.association.abort, name="abort", daemon=True)
        one.abort.start()


def _break(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
