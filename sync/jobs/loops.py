"""Background loops: a thread that does something, rests, and can be woken and stopped."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from archive.errors import ArchiveError
from archive.unexpected import told_of

_LONGEST_REST_S = 30.0

_log = structlog.get_logger("loops")


@dataclass(slots=True)
class Loop:
    """Calls `once` until it is stopped.

    `once` returns whether there is more to do: then it is called again at once, else after
    `interval_s` or `wake`. When it raises, the loop says so and rests, longer each time.
    """

    name: str
    once: Callable[[], bool]
    interval_s: float
    _woken: threading.Event = field(default_factory=threading.Event)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def stopped(self) -> bool:
        """Whether the loop is to end; long work inside `once` looks at it."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let the loop look now instead of at the end of its rest."""
        self._woken.set()

    def stop(self) -> None:
        """Ask the loop to end; returns at once."""
        self._stopped.set()
        self._woken.set()

    def join(self, seconds: float) -> bool:
        """Wait for the end of the loop; False when `seconds` were not enough."""
        if self._thread is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                rest_s = 0.0 if self.once() else self.interval_s
                failures = 0
            except Exception as error:  # noqa: BLE001 - the loop must outlive what it runs
                failures += 1
                rest_s = self._fell(error, failures)
            if rest_s:
                self._woken.wait(rest_s)

    def _fell(self, error: Exception, failures: int) -> float:
        rest_s = min(max(self.interval_s, 0.1) * (1 << min(failures, 16)), _LONGEST_REST_S)
        known = error.sentence if isinstance(error, ArchiveError) else ""
        _log.warning(
            "loop.fell",
            loop=self.name,
            sentence=known,
            again_in_seconds=rest_s,
            **told_of(error),
        )
        return rest_s


def stop_all(loops: Sequence[Loop], seconds: float) -> Sequence[str]:
    """Stop loops together; return the names of those that did not end within `seconds`."""
    for loop in loops:
        loop.stop()
    until = time.monotonic() + seconds
    return [loop.name for loop in loops if not loop.join(max(0.0, until - time.monotonic()))]
