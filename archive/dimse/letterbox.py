"""A letterbox between the process that has an association and the one that has its answer.

The receiving processes and the workers share only a directory. A letter is named by SHA-256, so no
text of a peer becomes a path. Files of one letter::

    NAME.open          the association waits for the answer, and holds the file's lock
    NAME.result        the worker has put the answer there
    NAME.sending       the association has taken it and sends it
    NAME.acknowledged  the peer has acknowledged it
    NAME.declined      it has not, and the association waits no more

Nothing here is synced: after a power loss no association is open, and the worker opens one.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from archive.store.disk import lock_named
from archive.store.durable import PARTIAL_SUFFIX

_OPEN, _RESULT, _SENDING = ".open", ".result", ".sending"
_ACKNOWLEDGED, _DECLINED = ".acknowledged", ".declined"
_ALL = (_RESULT, _SENDING, _ACKNOWLEDGED, _DECLINED)

TAKEN_SECONDS = 5.0
"""An association that has not taken an answer for so long is doing something else."""
LONGEST_SECONDS = 60.0
"""One that has not said in so long whether the peer acknowledged it hangs."""
_POLL_SECONDS = 0.05
_ATTEMPTS = 2
"""A worker may remove what a dead association left, once, while it is opened anew."""


class Letterbox:
    """The directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @staticmethod
    def name(*parts: str) -> str:
        """Return the name of a letter that the same parts always give."""
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()

    def wait(self, name: str) -> "Slot | None":
        """Wait for an answer, as the association that can send it; None: it cannot be had here.

        What an earlier association has left is forgotten.
        """
        for _ in range(_ATTEMPTS):
            with suppress(OSError):
                self._directory.mkdir(mode=0o750, exist_ok=True)
                return Slot(self._directory / name)
        return None

    def deliver(self, name: str, octets: bytes, check: Callable[[], None]) -> bool:
        """Have an answer sent by the association that waits for it; True when it is acknowledged.

        False: none waits, or it could not. ``check`` is called all the while, and may raise; the
        answer then stays there for the next call.

        Raises:
            OSError: the disk refused.
        """
        letter = _Letter(self._directory / name)
        try:
            acknowledged = letter.deliver(octets, check)
        finally:
            letter.tidy_up()
        return acknowledged


class Slot:
    """One association that waits for one answer. Used by that association's thread only.

    Raises:
        OSError: another association waits for the same, or the disk refused.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(_file(path, _OPEN), flags, 0o640)
        try:
            lock_named(self._descriptor, _file(path, _OPEN))
        except BaseException:
            os.close(self._descriptor)
            raise
        _forget(path, _ALL)

    def take(self) -> bytes | None:
        """Return the answer once it is there; from then on it is this association's to send."""
        try:
            _file(self._path, _RESULT).rename(_file(self._path, _SENDING))
            return _file(self._path, _SENDING).read_bytes()
        except OSError:
            return None

    def close(self, *, acknowledged: bool | None = None) -> None:
        """Wait no more. Of an answer that was taken, say whether the peer has acknowledged it."""
        if acknowledged is not None:
            after = _ACKNOWLEDGED if acknowledged else _DECLINED
            with suppress(OSError):
                _file(self._path, _SENDING).rename(_file(self._path, after))
        _forget(self._path, (_OPEN,))
        os.close(self._descriptor)


class _Letter:
    """One answer, as the worker sees it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, octets: bytes, check: Callable[[], None]) -> bool:
        if self._is_waited_for() and not self._is_taken():
            self._put(octets)
        began = time.monotonic()
        while self._is_waited_for() and not self._is_over():
            check()
            waited = time.monotonic() - began
            if waited > LONGEST_SECONDS or (waited > TAKEN_SECONDS and self._withdrawn()):
                return False
            time.sleep(_POLL_SECONDS)
        return _file(self._path, _ACKNOWLEDGED).exists()

    def tidy_up(self) -> None:
        """Remove how it ended, and all the rest once no association waits."""
        _forget(self._path, (_ACKNOWLEDGED, _DECLINED))
        with suppress(OSError):
            descriptor = os.open(_file(self._path, _OPEN), os.O_RDWR | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb"):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _forget(self._path, (*_ALL, _OPEN))

    def _put(self, octets: bytes) -> None:
        partial = _file(self._path, PARTIAL_SUFFIX)
        partial.write_bytes(octets)
        partial.rename(_file(self._path, _RESULT))

    def _withdrawn(self) -> bool:
        """Take the answer back; False when the association was faster."""
        try:
            _file(self._path, _RESULT).unlink()
        except FileNotFoundError:
            return False
        return True

    def _is_taken(self) -> bool:
        return _file(self._path, _SENDING).exists() or self._is_over()

    def _is_over(self) -> bool:
        return any(_file(self._path, end).exists() for end in (_ACKNOWLEDGED, _DECLINED))

    def _is_waited_for(self) -> bool:
        try:
            descriptor = os.open(_file(self._path, _OPEN), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


def _file(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _forget(path: Path, suffixes: tuple[str, ...]) -> None:
    for suffix in suffixes:
        with suppress(OSError):
            _file(path, suffix).unlink(missing_ok=True)
