"""The request to end, as every process of ours takes it."""

import signal
import threading
from types import FrameType


def stop_requested() -> threading.Event:
    """Return an event that SIGTERM or SIGINT sets. Called in the main thread."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return asked
