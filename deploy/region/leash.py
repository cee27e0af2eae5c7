"""Ties a program that is not ours to its starter's life, then becomes that program.

    python -I -S leash.py DEATH_PIPE PROGRAM ARGUMENT…

The kernel sends SIGTERM to this process when its starter dies; `exec` keeps that. A starter that
died before the kernel was told is seen by the end of file of its death pipe. No process is added.
"""

import ctypes
import os
import select
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Tie, look whether the starter lives, and become the program."""
    pipe, argv = int(sys.argv[1]), sys.argv[2:]
    _end_with_starter()
    if _starter_is_gone(pipe):
        sys.exit(1)
    os.close(pipe)
    os.execv(argv[0], argv)  # noqa: S606 - an argument list of the plan, without a shell


def _end_with_starter() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")


def _starter_is_gone(pipe: int) -> bool:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(0))


if __name__ == "__main__":
    main()
