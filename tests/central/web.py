"""HTTP as a caller of no good manners speaks it."""

import threading
import time
from collections.abc import Callable

from tests.central.nodes import PackFile

API = "/tiers/v1"


def path_of(pack: PackFile) -> str:
    return f"{API}/packs/{pack.content}/{pack.encoding}"


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return when something holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.02)
