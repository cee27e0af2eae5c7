"""One of a node's receiving processes: serves the connections that the acceptor hands to it.

It is started by the acceptor (:mod:`local_node.receive`), which is its standard input, and ends
with it: at once when the acceptor is gone, for then nobody counts what is open here.
"""

import logging
import os
import pickle
import socket
import sys
import threading
from typing import TYPE_CHECKING, cast

from archive.dimse.gate_channel import ProcessChannel
from archive.logs import log_to_stderr
from archive.stopping import stop_requested
from local_node.receiving import Assignment, hand_over_until, open_door, open_spool

if TYPE_CHECKING:
    from archive.dimse.scp import Door

ARGV = (sys.executable, "-m", __name__)
"""How it is started."""


def main() -> None:
    """Receive until SIGTERM, or until the acceptor is gone."""
    stop = stop_requested()
    channel = ProcessChannel(socket.socket(fileno=sys.stdin.fileno()))
    assignment = _assignment(channel)
    log_to_stderr(level=assignment.log_level or logging.INFO)
    spool = open_spool(assignment)
    door = open_door(assignment, spool)
    threading.Thread(target=_serve, args=(channel, door), name="gate", daemon=True).start()
    channel.say_ready()
    hand_over_until(stop, spool)
    door.stop()
    spool.hand_over_quiet(0)


def _assignment(channel: ProcessChannel) -> Assignment:
    try:
        told = channel.receive_assignment()
    except EOFError:
        sys.exit(os.EX_UNAVAILABLE)
    return cast("Assignment", pickle.loads(told))  # noqa: S301 - the acceptor's own


def _serve(channel: ProcessChannel, door: "Door") -> None:
    try:
        channel.serve(lambda one, address, on_end: door.take(one, address, on_end=on_end))
    finally:
        os._exit(os.EX_UNAVAILABLE)


if __name__ == "__main__":
    main()
