"""A private directory with a short path: unix socket paths end at 107 bytes, `DIR` may not."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.region.directory import read_json, write_json
from deploy.region.errors import NoShortDirectory

_PREFIX = "imagestore-"
_LONGEST = 80
"""Bytes of a directory's path that leave room for a socket's name."""


@contextmanager
def socket_directory(record: Path) -> Iterator[Path]:
    """Make a new private directory, note it in `record`, and remove it in the end.

    What a killed run left behind under `record` is removed first. Raises NoShortDirectory.
    """
    _remove(Path(str(read_json(record).get("sockets", "/nonexistent"))))
    directory = _make()
    write_json(record, {"sockets": str(directory)})
    try:
        yield directory
    finally:
        _remove(directory)
        record.unlink(missing_ok=True)


def _make() -> Path:
    for base in _bases():
        try:
            made = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
        except OSError:
            continue
        if len(os.fsencode(made)) <= _LONGEST:
            return Path(made)
        Path(made).rmdir()
    raise NoShortDirectory("no writable directory with a short path was found for unix sockets")


def _bases() -> Iterator[str]:
    """Name the candidates; a login session's own comes late, because it ends with the session."""
    yield "/tmp"  # noqa: S108 - mkdtemp makes the directory anew, for its owner alone
    yield from (os.environ[name] for name in ("TMPDIR", "XDG_RUNTIME_DIR") if os.environ.get(name))
    yield "/dev/shm"  # noqa: S108 - the same


def _remove(directory: Path) -> None:
    """Remove a directory of sockets, if it is one that this user made here."""
    if not _is_ours(directory):
        return
    for entry in directory.iterdir():
        if not entry.is_dir():
            entry.unlink(missing_ok=True)
    directory.rmdir()


def _is_ours(directory: Path) -> bool:
    if not directory.name.startswith(_PREFIX):
        return False
    try:
        found = directory.lstat()
    except OSError:
        return False
    private = stat.S_IMODE(found.st_mode) == stat.S_IRWXU
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and private
