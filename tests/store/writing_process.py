"""A process that appends until it is killed: ``python writing_process.py DIRECTORY [TEAR_AT]``.

After each append that returned it prints the number of the record. With TEAR_AT it kills itself
when half of that record's octets are written.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from archive.clock import SystemClock
from archive.store.disk import Octets, RealDisk, RealHandle
from archive.store.segment import RecordKind
from archive.store.spool import Spool
from tests.store.examples import body_of, envelope


class TearingHandle(RealHandle):
    writes = 0

    def write(self, parts: Sequence[Octets]) -> None:
        self.writes += 1
        if self.writes == int(sys.argv[2]):
            octets = b"".join(parts)
            super().write([octets[: len(octets) // 2]])
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(parts)


class TearingDisk(RealDisk):
    def create(self, path: Path) -> RealHandle:
        handle = super().create(path)
        return TearingHandle(os.dup(handle._descriptor)) if len(sys.argv) > 2 else handle


def main() -> None:
    spool = Spool(Path(sys.argv[1]), disk=TearingDisk(), clock=SystemClock(), floor_bytes=0)
    writer = spool.writer()
    for number in range(1, 10_000):
        writer.append(RecordKind.DICOM, envelope(f"1.2.{number}"), [body_of(number)])
        print(number, flush=True)


main()
